"""Take a model back that does worse, on what came, than what was there before it."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from accounts.actors import PORTAL
from accounts.services import audit
from meters.insights.models import ForecastModel
from meters.insights.selectors.standings import Standing, standing_of
from meters.insights.services.models import put_into_force
from meters.models import AlarmSeverity, SubjectKind
from meters.services.alarms import clear_alarm, raise_alarm

WORSE = "forecast_worse"
_State = ForecastModel.State


class _Verdict(NamedTuple):
    reason: str
    successor: ForecastModel | None


def judge_models(*, now: datetime) -> int:
    """Judge the active model of each cohort by its last days; return how many were taken back.

    A model that is not much worse, or of which too little is known yet, stays.
    """
    cohorts = ForecastModel.objects.filter(state=_State.ACTIVE).order_by("cohort").values_list("cohort", flat=True)
    return sum(_judge(cohort, now) for cohort in list(cohorts))


@transaction.atomic
def _judge(cohort: str, now: datetime) -> bool:
    locked = ForecastModel.objects.filter(cohort=cohort).order_by("version").defer("content").select_for_update()
    models = list(locked)[::-1]
    active = next((model for model in models if model.state == _State.ACTIVE), None)
    if active is None:
        return False
    own = standing_of(active, since=_first_day(now))
    if own is None:
        return False
    verdict = _verdict(active, own, models)
    if verdict is None:
        clear_alarm(subject_kind=SubjectKind.PORTAL, subject=cohort, kind=WORSE, now=now)
        return False
    _take_back(active, verdict, now)
    return True


def _verdict(active: ForecastModel, own: Standing, models: list[ForecastModel]) -> _Verdict | None:
    """Say why a model goes and who follows; None where it stays.

    Models are told apart by how far each beats the means of the weekday on the days on which it spoke, since these
    days were not the same.
    """
    margin = 1 + settings.FORECAST_WORSE_MARGIN
    # Whom other libraries made may not be read by these.
    before = [model for model in models if model.state == _State.RETIRED and model.version < active.version]
    usable = next((model for model in before if model.made_with == active.made_with), None)
    known = standing_of(usable) if usable is not None else None
    successor = usable if known is None or known.ratio <= margin else None
    if own.ratio > margin:
        return _Verdict(f"Its error was {own.ratio:.2f} times that of the means of the weekday {own.words}.", successor)
    if successor is not None and known is not None and own.ratio > known.ratio * margin:
        words = f"Its error was {own.ratio:.2f} times that of the means of the weekday {own.words}"
        return _Verdict(f"{words}; version {successor.version} had {known.ratio:.2f}.", successor)
    return None


def _take_back(active: ForecastModel, verdict: _Verdict, now: datetime) -> None:
    active.state, active.reason, active.changed_at = _State.REJECTED, verdict.reason, now
    active.save(update_fields=("state", "reason", "changed_at"))
    audit.record(action="forecast_model.taken_back", obj=active, actor=PORTAL, now=now, reason=verdict.reason)
    back = verdict.successor
    if back is None:
        what_now = "The means of the weekday speak until a better model is taught."
    else:
        what_now = f"Version {back.version} speaks again."
        put_into_force(back, reason=f"Version {active.version} did worse.", actor=PORTAL, now=now)
    raise_alarm(
        subject_kind=SubjectKind.PORTAL,
        subject=active.cohort,
        label=f"Forecasts of {active.cohort}",
        kind=WORSE,
        text=f"Version {active.version} of {active.cohort} forecasts was taken back. {verdict.reason} {what_now}",
        severity=AlarmSeverity.WARNING,
        now=now,
    )


def _first_day(now: datetime) -> date:
    return (now - timedelta(days=settings.FORECAST_WORSE_DAYS)).date()
