"""A series of the tests' own, in which rows join, with a column of every type; and short ways to write rows."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ModelState, ProjectState

from meters.models import RegisterReading
from meters.series.migrations import CreatePartitionedModel
from meters.series.partitions import ensure_partitions
from meters.series.spec import SeriesSpec
from meters.series.writer import WriteResult, write

READINGS = SeriesSpec.of(RegisterReading, owner="register")
FLOOR = datetime(2020, 1, 1, tzinfo=UTC)
CEILING = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime(2025, 2, 1, tzinfo=UTC)
APP = "series_samples"


class RealField(models.FloatField):
    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "real"


class Sample(models.Model):
    pk = models.CompositePrimaryKey("device", "time")
    device = models.BigIntegerField()
    time = models.DateTimeField()
    power = RealField(null=True)
    energy = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    level = models.FloatField(null=True)
    count = models.IntegerField(null=True)
    small = models.SmallIntegerField(null=True)
    online = models.BooleanField(null=True)
    state = models.CharField(max_length=80, null=True)
    received_at = models.DateTimeField(null=True)

    class Meta:
        app_label = APP
        db_table = "series_samples"
        indexes = (BrinIndex(fields=("time",), name="series_samples_time"),)

    def __str__(self) -> str:
        return f"{self.device} {self.time}"


MEASURES = ("power", "energy", "level", "count", "small", "online", "state")
SAMPLES = SeriesSpec.of(Sample, owner="device", identity=MEASURES, joins=True)


def create_operation(model: type[models.Model] = Sample) -> CreatePartitionedModel:
    state = ModelState.from_model(model)
    return CreatePartitionedModel(state.name, list(state.fields.items()), state.options, state.bases)


def create_samples(using: str = "default", model: type[models.Model] = Sample) -> None:
    after = ProjectState()
    operation = create_operation(model)
    operation.state_forwards(model._meta.app_label, after)
    with connections[using].schema_editor() as editor:
        operation.database_forwards(model._meta.app_label, editor, ProjectState(), after)


def drop_samples(using: str = "default") -> None:
    with connections[using].schema_editor() as editor:
        editor.delete_model(Sample)


def slot(number: int) -> datetime:
    """Half-hours from START, so that 1,344 of them fill February 2025."""
    return START + number * timedelta(minutes=30)


def readings(keys: Iterable[tuple[int, int]], values: Iterable[object]) -> dict[str, list[object]]:
    keys = list(keys)
    return {
        "register_id": [register for register, _ in keys],
        "time": [slot(number) for _, number in keys],
        "value": list(values),
        "quality": [17] * len(keys),
        "source_id": [None] * len(keys),
        "raw_stamp": [None] * len(keys),
    }


def make_room(spec: SeriesSpec, times: Collection[datetime], using: str = "default") -> list[str]:
    return ensure_partitions(spec, times, floor=FLOOR, ceiling=CEILING, using=using)


def write_committed(spec: SeriesSpec, rows: dict[str, list[object]], using: str = "default") -> WriteResult:
    make_room(spec, rows["time"], using)
    with transaction.atomic(using=using):
        return write(spec, rows, connections[using])


def samples_of(keys: list[tuple[int, int]], **measures: list[Any]) -> dict[str, list[Any]]:
    return {
        "device": [device for device, _ in keys],
        "time": [slot(number) for _, number in keys],
        **{name: [None] * len(keys) for name in MEASURES},
        **measures,
    }
