"""Exceptions as somebody may see them."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.errors import NotFound
from meters.models import Binding, Correction, Installation, ReadingException


class NoSuchException(NotFound):
    """There is no such exception, or not for the one who asks."""

    code = "no_such_exception"


def exceptions_for(user: User | None) -> QuerySet[ReadingException]:
    """Return the exceptions that somebody may see; ``user`` None means a data source, which may see all.

    Who is supplied somewhere sees those of the times in which they were.
    """
    rows = ReadingException.objects.select_related("register__meter", "closed_by")
    if user is None or user.role != Role.CUSTOMER:
        return rows if user is None else rows.visible_to(user)
    return rows.filter(_in_own_time(user))


def exception_for(*, exception_id: UUID, user: User | None) -> ReadingException:
    """Return an exception that somebody may see.

    :raises NoSuchException: none, or not theirs.
    """
    found = exceptions_for(user).filter(pk=exception_id).first()
    if found is None:
        raise NoSuchException("There is no such exception.")
    return found


def corrections_of(*, serial: str, user: User | None) -> QuerySet[Correction]:
    """Return the corrections of a meter that somebody may see, newest first."""
    rows = Correction.objects.filter(register__meter__serial=serial).select_related("register", "made_by", "source")
    if user is not None and user.role == Role.CUSTOMER:
        rows = rows.filter(_in_own_time(user))
    return rows.order_by("-made_at", "-id")


def _in_own_time(user: User) -> Exists:
    """Keep rows whose mark lies in a time when the meter hung where one of somebody's accounts was supplied.

    The last reading of a time lies at its end.
    """
    mark = OuterRef("time")
    supplied = (
        Binding.objects.visible_to(user)
        .filter(service_point=OuterRef("service_point"))
        .filter(Q(valid__contains=OuterRef(mark)) | Q(valid__endswith=OuterRef(mark)))
    )
    hung = Installation.objects.filter(meter=OuterRef("register__meter")).filter(
        Q(valid__contains=mark) | Q(valid__endswith=mark)
    )
    return Exists(hung.filter(Exists(supplied)))
