"""Field work as somebody may see it, and whom and what they may send."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.errors import Forbidden, NotFound
from field_ops.models import Agent, Assignment
from meters.models import Meter
from meters.querysets import in_regions_of


class NoSuchAssignment(NotFound):
    """There is no such assignment, or not for the one who asks."""

    code = "no_such_assignment"


class NotAManager(Forbidden):
    """Work is given out by managers and admins."""

    code = "missing_role"


def require_manager(user: User | None) -> None:
    """Refuse everybody but managers, admins and, as None, the portal itself.

    :raises NotAManager: somebody else.
    """
    if user is not None and not (user.is_active and user.role in {Role.MANAGER, Role.ADMIN}):
        raise NotAManager("Work is given out by managers and admins.")


def assignments_for(user: User) -> QuerySet[Assignment]:
    """Return the assignments that somebody may see, with what a list shows of them."""
    rows: QuerySet[Assignment] = Assignment.objects.visible_to(user)
    return rows.select_related("meter__region", "agent__user", "assigned_by").prefetch_related("meter__registers")


def assignment_for(*, assignment_id: UUID, user: User) -> Assignment:
    """Return an assignment that somebody may see, with its steps.

    :raises NoSuchAssignment: none, or not theirs.
    """
    rows = assignments_for(user).prefetch_related("steps__agent__user", "steps__by")
    found = rows.filter(pk=assignment_id).first()
    if found is None:
        raise NoSuchAssignment("There is no such assignment.")
    return found


def meters_to_read(user: User | None) -> QuerySet[Meter]:
    """Return the meters that somebody may send agents to; None, the portal itself, to all.

    :raises NotAManager: they may send nobody.
    """
    require_manager(user)
    rows: QuerySet[Meter] = Meter.objects.all()
    return rows if user is None or user.role == Role.ADMIN else rows.filter(in_regions_of(user, "region"))


def meters_by_serial(*, serials: Collection[str], user: User) -> tuple[dict[UUID, str], list[str]]:
    """Return the meters of serials that somebody may send agents to, in the order asked, and the serials of none.

    :raises NotAManager: they may send nobody.
    """
    wanted = list(dict.fromkeys(serials))
    found = dict(meters_to_read(user).filter(serial__in=wanted).values_list("serial", "pk"))
    known = {found[serial]: serial for serial in wanted if serial in found}
    return known, [serial for serial in wanted if serial not in found]


def agents_to_send(user: User | None) -> QuerySet[Agent]:
    """Return the agents that somebody may send; None, the portal itself, all.

    :raises NotAManager: they may send nobody.
    """
    require_manager(user)
    rows: QuerySet[Agent] = Agent.objects.all() if user is None else Agent.objects.visible_to(user)
    return rows
