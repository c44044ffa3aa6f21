"""Threads that keep a database connection each."""

import select

import psycopg
from django.db import connections


def drop_dead_connections() -> None:
    """Close this thread's connections that the server has closed: an idle socket with something to read is such a
    one.
    """
    for connection in connections.all(initialized_only=True):
        if connection.connection is None:
            continue
        try:
            dead = bool(select.select([connection.connection.pgconn.socket], [], [], 0)[0])
        except (OSError, ValueError, psycopg.Error):
            dead = True
        if dead:
            connection.close()
