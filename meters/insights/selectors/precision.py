"""How often those who know said that an anomaly was one: by kind, by detector and by whom it is of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, FloatField, Q, QuerySet, Sum, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast, Coalesce, Extract, Greatest, Least

from meters.insights.models import Anomaly, Baseline

# From what score on a detector by itself would have called a half-hour unusual.
SAID_SO = 0.9
_WEEK_SECONDS = timedelta(weeks=1).total_seconds()
Verdict = Anomaly.Verdict


@dataclass(frozen=True)
class Precision:
    """Anomalies of a group, and how many of them people called real and normal.

    :ivar alarmed: how many of them raised an alarm.
    """

    group: str
    found: int
    alarmed: int
    real: int
    normal: int

    @property
    def share(self) -> float | None:
        """The share of the judged ones that was real; None while none was judged."""
        judged = self.real + self.normal
        return self.real / judged if judged else None


@dataclass(frozen=True)
class Judged:
    """What came of anomalies that began in a period.

    :ivar meter_weeks: how many weeks of meters were watched in it.
    """

    overall: Precision
    by_kind: tuple[Precision, ...]
    by_detector: tuple[Precision, ...]
    by_cohort: tuple[Precision, ...]
    meter_weeks: float

    @property
    def alerts_a_meter_and_week(self) -> float | None:
        """How many alarms a meter raised in a week; None where none was watched."""
        return self.overall.alarmed / self.meter_weeks if self.meter_weeks else None


def precision_between(start: datetime, end: datetime, *, rows: QuerySet[Anomaly] | None = None) -> Judged:
    """Return what people said of the anomalies that began in ``[start, end)``, in a few queries whatever their number.

    A detector's are those of which it said by itself that they are unusual. Meters without anomalies count as watched.

    :param rows: those that count; all unless told.
    """
    of_period = (Anomaly.objects.all() if rows is None else rows).filter(start__gte=start, start__lt=end).order_by()
    (overall,) = _counted(of_period, Value("all"))
    return Judged(
        overall=overall,
        by_kind=_labelled(_counted(of_period, F("kind")), dict(Anomaly.Kind.choices)),
        by_detector=tuple(_of_detector(of_period, name) for name in _detectors(of_period)),
        by_cohort=tuple(_counted(of_period, F("cohort"))),
        meter_weeks=_meter_weeks(start, end),
    )


_COUNTS = {
    "found": Count("pk"),
    "alarmed": Count("pk", filter=Q(alarm__isnull=False)),
    "real": Count("pk", filter=Q(verdict=Verdict.REAL)),
    "normal": Count("pk", filter=Q(verdict=Verdict.NORMAL)),
}


def _counted(rows: QuerySet[Anomaly], group: F | Value) -> list[Precision]:
    if isinstance(group, Value):
        counts = rows.aggregate(**_COUNTS)
        return [Precision(group.value, counts["found"], counts["alarmed"], counts["real"], counts["normal"])]
    found = rows.values(group=group).annotate(**_COUNTS).order_by("group")
    return [Precision(*row) for row in found.values_list("group", *_COUNTS)]


def _labelled(found: Iterable[Precision], labels: dict[str, str]) -> tuple[Precision, ...]:
    return tuple(
        Precision(str(labels.get(each.group, each.group)), each.found, each.alarmed, each.real, each.normal)
        for each in found
    )


def _detectors(rows: QuerySet[Anomaly]) -> list[str]:
    """Return the names of the detectors that had a say in the newest anomalies."""
    newest = rows.order_by("-start").values_list("detectors", flat=True)[:200]
    return sorted({name for said in newest for name in said})


def _of_detector(rows: QuerySet[Anomaly], name: str) -> Precision:
    said = rows.annotate(said=Cast(KeyTransform(name, "detectors"), FloatField())).filter(said__gte=SAID_SO)
    counts = said.aggregate(**_COUNTS)
    return Precision(name, counts["found"], counts["alarmed"], counts["real"], counts["normal"])


def _meter_weeks(start: datetime, end: datetime) -> float:
    overlap = Extract(Least("scored_until", Value(end)) - Greatest("watched_since", Value(start)), "epoch")
    watched = Baseline.objects.filter(watched_since__lt=end, scored_until__gt=start)
    seconds = watched.aggregate(total=Coalesce(Sum(overlap, output_field=FloatField()), 0.0))["total"]
    return float(seconds) / _WEEK_SECONDS
