"""Which model speaks: one of a cohort at most; those before it can come back."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict
from meters.insights.models import ForecastModel

State = ForecastModel.State


class NotReadable(Conflict):
    """A model's content was dropped, or never was there."""

    code = "model_not_readable"


class NotActive(Conflict):
    """Only the model that speaks can be silenced."""

    code = "model_not_active"


@transaction.atomic
def activate_model(*, model_id: UUID, reason: str, actor: Actor, now: datetime) -> ForecastModel:
    """Have a model speak for its cohort from now on; the one that did is retired. Done already, nothing happens.

    :raises ForecastModel.DoesNotExist: there is no such model.
    :raises NotReadable: its content was dropped.
    """
    row: ForecastModel = ForecastModel.objects.get(pk=model_id)
    _locked(row.cohort)
    row.refresh_from_db()
    if row.state == State.ACTIVE:
        return row
    if not row.content:
        raise NotReadable(f"The content of {row} was dropped.")
    put_into_force(row, reason=reason, actor=actor, now=now)
    return row


@transaction.atomic
def retire_model(*, model_id: UUID, reason: str, actor: Actor, now: datetime) -> ForecastModel:
    """Have a model speak no more; until another does, the naive forecasters speak for its cohort.

    :raises ForecastModel.DoesNotExist: there is no such model.
    :raises NotActive: it does not speak.
    """
    row: ForecastModel = ForecastModel.objects.select_for_update().get(pk=model_id)
    if row.state != State.ACTIVE:
        raise NotActive(f"{row} does not speak.")
    _move(row, State.RETIRED, reason, now)
    audit.record(action="forecast_model.retired", obj=row, actor=actor, now=now, reason=reason)
    return row


def put_into_force(row: ForecastModel, *, reason: str, actor: Actor, now: datetime) -> None:
    """Have a stored model take the place of the one that speaks; to be called in a transaction."""
    for other in _locked(row.cohort):
        if other.state == State.ACTIVE and other.pk != row.pk:
            _move(other, State.RETIRED, f"Version {row.version} took its place.", now)
    _move(row, State.ACTIVE, reason, now)
    audit.record(action="forecast_model.activated", obj=row, actor=actor, now=now, reason=reason)


def forget_models(*, now: datetime, keep: timedelta) -> int:
    """Drop the content of models that have not spoken for long; their figures stay. Return how many."""
    old = ForecastModel.objects.exclude(state__in=(State.ACTIVE, State.CANDIDATE)).exclude(content=b"")
    return old.filter(changed_at__lt=now - keep).update(content=b"", made_with="")


def _locked(cohort: str) -> list[ForecastModel]:
    """Lock the models of a cohort in the order of their versions, so that those who change them wait for each other."""
    return list(ForecastModel.objects.select_for_update().filter(cohort=cohort).defer("content").order_by("version"))


def _move(row: ForecastModel, state: ForecastModel.State, reason: str, now: datetime) -> None:
    row.state, row.reason, row.changed_at = state, reason, now
    row.save(update_fields=("state", "reason", "changed_at"))
