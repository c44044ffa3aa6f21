"""The ORM's cursor: a statement outside of a transaction takes its role along, in the same message."""

from typing import TYPE_CHECKING, Any, Self

from django.db import NotSupportedError
from django.db.backends.postgresql.base import Cursor
from psycopg import sql

if TYPE_CHECKING:
    from config.database.base import DatabaseWrapper


class RoleCursor(Cursor):  # type: ignore[misc]
    """PostgreSQL takes several statements in one message for one transaction, which SET LOCAL holds for."""

    def __init__(self, wrapper: "DatabaseWrapper", *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wrapper = wrapper

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """The cursor, with the statement's result."""
        prologue = self.wrapper.statement_prologue()
        if not prologue:
            super().execute(query, params, **options)
            return self
        text = "; ".join(prologue) + "; "
        if isinstance(query, bytes):
            query = text.encode() + query
        else:
            query = sql.SQL(text) + query if isinstance(query, sql.Composable) else text + query
        super().execute(query, params, **options)
        for _ in prologue:
            self.nextset()  # type: ignore[attr-defined]  # of the cursor that this is mixed into
        return self

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        """Only within a transaction, which has the role already."""
        self._require_transaction("executemany")
        super().executemany(*args, **kwargs)

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        """Only within a transaction."""
        self._require_transaction("copy")
        return super().copy(*args, **kwargs)

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        """Only within a transaction."""
        self._require_transaction("stream")
        return super().stream(*args, **kwargs)

    def _require_transaction(self, name: str) -> None:
        if self.wrapper.statement_prologue():
            raise NotSupportedError(f"{name}() needs a transaction: its role would not go along.")
