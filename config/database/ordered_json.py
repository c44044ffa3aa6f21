"""A JSONField whose objects keep the order of their keys, as answers must: the type json, where jsonb sorts them."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.json import Json


class OrderedJSONField(models.JSONField):
    """The value as it was written; it cannot be compared or indexed in the database."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, *args: Any, **options: Any) -> Any:
        """The value as json; as jsonb it would lose the order on its way."""
        return Json(self.get_prep_value(value))
