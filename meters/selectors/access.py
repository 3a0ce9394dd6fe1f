"""Which meters somebody may ask about, and of which time."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from accounts.actors import Actor
from accounts.models import CustomerAccount, User
from accounts.roles import Role
from energy_portal.shared.clock import Period
from energy_portal.shared.errors import NotFound
from meters.models import Binding, Job, Meter
from meters.querysets import JobQuerySet
from meters.selectors.flows import as_period


class NoSuchMeter(NotFound):
    """There is no such meter, or not for the one who asks."""

    code = "no_such_meter"


class NoSuchAccount(NotFound):
    """There is no such account, or not for the one who asks."""

    code = "no_such_account"


class NoSuchJob(NotFound):
    """There is no such job, or not for the one who asks."""

    code = "no_such_job"


def meter_for(*, serial: str, user: User | None) -> Meter:
    """Return a meter that somebody may ask about; ``user`` None means a data source, which may ask about all.

    :raises NoSuchMeter: no such meter, or not theirs.
    """
    meters = Meter.objects.all() if user is None else Meter.objects.visible_to(user)
    meter: Meter | None = next(iter(meters.filter(serial=serial)), None)
    if meter is None:
        raise NoSuchMeter(f"There is no meter {serial!r}.")
    return meter


def meters_for(*, serials: Collection[str], user: User | None) -> list[Meter]:
    """Return meters that somebody may ask about, by serial; see :func:`meter_for`.

    :raises NoSuchMeter: one is not there, or not theirs.
    """
    meters = Meter.objects.all() if user is None else Meter.objects.visible_to(user)
    found = list(meters.filter(serial__in=set(serials)).order_by("serial"))
    if missing := sorted(set(serials) - {meter.serial for meter in found}):
        raise NoSuchMeter(f"There is no meter {missing[0]!r}.")
    return found


def account_for(*, number: str, user: User | None) -> CustomerAccount:
    """Return an account that somebody may ask about; ``user`` None means a data source, which may ask about all.

    :raises NoSuchAccount: no such account, or not theirs.
    """
    accounts = CustomerAccount.objects.all() if user is None else CustomerAccount.objects.visible_to(user)
    account: CustomerAccount | None = accounts.filter(number=number).first()
    if account is None:
        raise NoSuchAccount(f"There is no account {number!r}.")
    return account


def accounts_for(*, numbers: Collection[str], user: User | None) -> list[CustomerAccount]:
    """Return accounts that somebody may ask about, by number; see :func:`account_for`.

    :raises NoSuchAccount: one is not there, or not theirs.
    """
    accounts = CustomerAccount.objects.all() if user is None else CustomerAccount.objects.visible_to(user)
    found = list(accounts.filter(number__in=set(numbers)).order_by("number"))
    if missing := sorted(set(numbers) - {account.number for account in found}):
        raise NoSuchAccount(f"There is no account {missing[0]!r}.")
    return found


def periods_for(*, meter: Meter, user: User | None) -> list[Period] | None:
    """Return when a meter counted for accounts that somebody may see; None for whoever may see all of it."""
    if user is None or user.role != Role.CUSTOMER:
        return None
    bound = Binding.objects.visible_to(user).filter(service_point__installations__meter=meter)
    pairs = bound.order_by().values_list("valid", "service_point__installations__valid").distinct()
    periods = (as_period(supplied).intersect(as_period(hung)) for supplied, hung in pairs)
    return sorted(period for period in periods if period is not None)


def periods_of(*, meters: Collection[Meter], user: User | None) -> dict[UUID, list[Period]] | None:
    """Return by meter what :func:`periods_for` tells of one. One query."""
    if user is None or user.role != Role.CUSTOMER:
        return None
    bound = Binding.objects.visible_to(user).filter(service_point__installations__meter__in=meters)
    rows = bound.order_by().values_list(
        "service_point__installations__meter", "valid", "service_point__installations__valid"
    )
    found: dict[UUID, list[Period]] = defaultdict(list)
    for meter_id, supplied, hung in rows.distinct():
        period = as_period(supplied).intersect(as_period(hung))
        if period is not None:
            found[meter_id].append(period)
    return found


def jobs_for(*, actor: Actor) -> JobQuerySet:
    """Return the jobs that somebody may see: managers and admins all, others and data sources their own."""
    jobs: JobQuerySet = Job.objects.all()
    if actor.user is not None:
        return jobs.visible_to(actor.user)
    return jobs.none() if actor.source is None else jobs.filter(source=actor.source)


def job_for(*, job_id: UUID, actor: Actor) -> Job:
    """Return a job that somebody may see.

    :raises NoSuchJob: no such job, or not theirs.
    """
    job: Job | None = jobs_for(actor=actor).select_related("asked_by", "source").filter(pk=job_id).first()
    if job is None:
        raise NoSuchJob("There is no such job.")
    return job
