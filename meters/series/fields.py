"""Fields for the columns of a series."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class RealField(models.FloatField[Any, Any]):
    """A float of four bytes: seven digits, half the room of Python's own."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Return PostgreSQL's name of the type."""
        return "real"
