"""Django's PostgreSQL backend, with short ways for what every request does: it begins, looks up, stores and commits.

psycopg drives libpq through its asynchronous calls, in Python, so that it can be interrupted; a web thread never is,
and with three statements a request that took a tenth of its time.
"""
