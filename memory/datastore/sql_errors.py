"""Why a statement of a model was not run."""

from config.errors import DomainError


class SqlRefused(DomainError):
    """The SQL is not a single statement over tables and functions that are allowed."""

    code = "SQL_REFUSED"


class SqlFailed(DomainError):
    """The database refused the statement, or it took too long."""

    status, code = 424, "SQL_FAILED"


class RowsMoved(SqlFailed):
    """The rows that the statement changes are not those any more that were reviewed."""
