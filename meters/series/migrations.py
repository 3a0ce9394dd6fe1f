"""The migration operation that creates a series' table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import CreateModel
from django.db.migrations.state import ProjectState


class CreatePartitionedModel(CreateModel):
    """Create a model's table, partitioned by range of its time.

    Everything else is the ordinary operation's: the model stays managed, so that drift checks, later
    operations and test databases treat it like any other. Its partitions are made by
    :func:`meters.series.partitions.ensure_partitions`.

    :param time: name of the model's time field; it must be part of the primary key.
    """

    def __init__(
        self,
        name: str,
        fields: list[tuple[str, Any]],
        options: dict[str, Any] | None = None,
        bases: Any = None,
        managers: Any = None,
        time: str = "time",
    ) -> None:
        super().__init__(name, fields, options, bases, managers)
        self.time = time

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Add the time field to the ordinary operation's arguments."""
        path, args, kwargs = super().deconstruct()
        return path, list(args), {**kwargs, **({} if self.time == "time" else {"time": self.time})}

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create the table with its PARTITION BY clause."""
        column = to_state.apps.get_model(app_label, self.name)._meta.get_field(self.time).column
        with _partitioned_by(schema_editor, column):
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def reduce(self, operation: Operation, app_label: str) -> bool | list[Operation]:
        """Keep the table partitioned when migrations are squashed."""
        reduced = super().reduce(operation, app_label)
        if isinstance(reduced, bool):
            return reduced
        return [self._partitioned(each) for each in reduced]

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Create partitioned model {self.name}"

    def _partitioned(self, operation: Operation) -> Operation:
        if type(operation) is not CreateModel:
            return operation
        return type(self)(
            operation.name,
            operation.fields,
            operation.options,
            operation.bases,
            operation.managers,
            time=self.time,
        )


@contextmanager
def _partitioned_by(schema_editor: BaseDatabaseSchemaEditor, column: str) -> Iterator[None]:
    ordinary = schema_editor.sql_create_table
    quoted = schema_editor.quote_name(column).replace("%", "%%")
    schema_editor.sql_create_table = f"{ordinary} PARTITION BY RANGE ({quoted})"
    try:
        yield
    finally:
        schema_editor.sql_create_table = ordinary
