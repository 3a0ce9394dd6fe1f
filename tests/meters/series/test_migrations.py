import pytest
from django.db import connection, migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter

from meters.series.migrations import CreatePartitionedModel
from meters.series.partitions import list_partitions
from tests.meters.series.samples import APP, FLOOR, SAMPLES, Sample, create_operation, make_room


def partition_key(table: str) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_partkeydef(%s::regclass)", [table])
        return cursor.fetchone()[0]


def apply(*operations: migrations.operations.base.Operation) -> ProjectState:
    state = ProjectState()
    for operation in operations:
        before, state = state, state.clone()
        operation.state_forwards(APP, state)
        with connection.schema_editor() as editor:
            operation.database_forwards(APP, editor, before, state)
    return state


@pytest.mark.django_db
class TestCreatePartitionedModel:
    def test_partitions_the_table_by_its_time(self):
        apply(create_operation())

        assert partition_key(SAMPLES.table) == 'RANGE ("time")'

    def test_leaves_other_tables_of_the_migration_alone(self):
        plain = migrations.CreateModel("Plain", [("id", models.BigAutoField(primary_key=True))])

        apply(create_operation(), plain)

        assert partition_key(f"{APP}_plain") is None

    def test_takes_the_column_of_a_time_field_of_any_name(self):
        fields = [
            ("pk", models.CompositePrimaryKey("device", "observed")),
            ("device", models.IntegerField()),
            ("observed", models.DateTimeField(db_column="observed_at")),
        ]

        apply(CreatePartitionedModel("Other", fields, time="observed"))

        assert partition_key(f"{APP}_other") == "RANGE (observed_at)"

    def test_leaves_no_drift_behind(self):
        written, wanted = ProjectState(), ProjectState()
        create_operation().state_forwards(APP, written)
        wanted.add_model(ModelState.from_model(Sample))

        detector = MigrationAutodetector(written, wanted, NonInteractiveMigrationQuestioner())

        assert detector._detect_changes() == {}

    def test_lets_later_operations_reach_the_partitions(self):
        apply(create_operation())
        (name,) = make_room(SAMPLES, [FLOOR])
        state = ProjectState()
        create_operation().state_forwards(APP, state)
        later = state.clone()
        operations = [
            migrations.AddField("Sample", "note", models.TextField(null=True)),
            migrations.AddIndex("Sample", models.Index(fields=["count"], name="sample_count")),
        ]

        with connection.schema_editor() as editor:
            for operation in operations:
                before, later = later, later.clone()
                operation.state_forwards(APP, later)
                operation.database_forwards(APP, editor, before, later)

        with connection.cursor() as cursor:
            columns = [column.name for column in connection.introspection.get_table_description(cursor, name)]
            constraints = connection.introspection.get_constraints(cursor, name)
        assert "note" in columns
        assert ["count"] in [constraint["columns"] for constraint in constraints.values()]

    def test_drops_the_partitions_with_the_table(self):
        state = apply(create_operation())
        make_room(SAMPLES, [FLOOR])

        with connection.schema_editor() as editor:
            create_operation().database_backwards(APP, editor, state, ProjectState())

        assert not any(name.startswith(SAMPLES.table) for name in connection.introspection.table_names())

    def test_is_hidden_from_a_flush_by_its_parent(self):
        apply(create_operation())
        (partition,) = make_room(SAMPLES, [FLOOR])

        tables = connection.introspection.table_names()

        assert SAMPLES.table in tables
        assert partition not in tables
        assert [p.name for p in list_partitions(SAMPLES)] == [partition]


class TestSquashing:
    def test_keeps_the_table_partitioned(self):
        operations = [
            CreatePartitionedModel("Other", create_operation().fields, time="time"),
            migrations.AddField("Other", "note", models.TextField(null=True)),
        ]

        (squashed,) = MigrationOptimizer().optimize(operations, APP)

        assert isinstance(squashed, CreatePartitionedModel)
        assert "note" in dict(squashed.fields)

    def test_still_removes_a_model_that_is_deleted_again(self):
        operations = [create_operation(), migrations.DeleteModel("Sample")]

        assert MigrationOptimizer().optimize(operations, APP) == []

    @pytest.mark.parametrize("time", ["time", "received_at"])
    def test_writes_itself_into_a_migration_file(self, time):
        operation = CreatePartitionedModel("Other", [("time", models.DateTimeField())], time=time)

        name, args, kwargs = operation.deconstruct()

        assert vars(CreatePartitionedModel(*args, **kwargs)).items() >= {"name": "Other", "time": time}.items()
        written, _ = MigrationWriter.serialize(operation.deconstruct())
        assert name == "CreatePartitionedModel"
        assert ("'time': 'received_at'" in written) == (time == "received_at")
