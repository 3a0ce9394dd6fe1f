"""Forecasts as somebody may see them, and of whose series somebody may ask for one."""

from datetime import datetime

from django.db.models import QuerySet

from accounts.models import CustomerAccount, User
from accounts.querysets import sees_every_account
from energy_portal.shared.errors import NotFound
from meters.batteries.models import Battery
from meters.devices.models import Device
from meters.insights.models import Forecast, Subject
from meters.insights.selectors.subjects import NoSuchSeries, Series, find_series
from meters.models import Region, ServicePoint


class NoSuchForecast(NotFound):
    """There is no such forecast, or not for the one who asks."""

    code = "no_such_forecast"


def forecasts_for(user: User | None) -> QuerySet[Forecast]:
    """Return the forecasts that somebody may see; ``user`` None means a data source, which may see all."""
    rows = Forecast.objects.all() if user is None else Forecast.objects.visible_to(user)
    return rows.select_related("account", "region", "model").defer("model__content")


def forecast_for(*, forecast_id: int, user: User | None) -> Forecast:
    """Return one forecast.

    :raises NoSuchForecast: there is none, or not for them.
    """
    found = forecasts_for(user).filter(pk=forecast_id).first()
    if found is None:
        raise NoSuchForecast(f"There is no forecast {forecast_id}.")
    return found


def series_for(*, kind: Subject, subject: str, user: User | None, at: datetime) -> Series:
    """Return a series of which somebody may have a forecast made.

    Of a place only those who are supplied there now.

    :raises NoSuchSeries: nothing goes by that name, or not for them.
    """
    found = find_series(kind=kind, subject=subject, at=at)
    if user is not None and not _may_ask(found, user):
        raise NoSuchSeries(f"There is no {kind.label.lower()} {subject}.")
    return found


def _may_ask(series: Series, user: User) -> bool:
    match series.kind:
        case Subject.PORTAL:
            return sees_every_account(user)
        case Subject.REGION:
            return Region.objects.visible_to(user).filter(pk=series.key).exists() and sees_every_account(user)
        case Subject.ACCOUNT:
            return _is_theirs(series, user)
        case Subject.SERVICE_POINT:
            return ServicePoint.objects.visible_to(user).filter(pk=series.key).exists() and _is_theirs(series, user)
        case Subject.DEVICE:
            return Device.objects.visible_to(user).filter(pk=series.key).exists()
        case _:
            return Battery.objects.visible_to(user).filter(pk=series.key).exists()


def _is_theirs(series: Series, user: User) -> bool:
    if sees_every_account(user):
        return True
    return CustomerAccount.objects.visible_to(user).filter(pk=series.account_id).exists()
