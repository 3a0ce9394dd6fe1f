"""Who may listen to which batteries, and what alarms they hear: of many listeners at once, in few queries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from accounts.models import User
from accounts.roles import Role, Scope
from accounts.selectors.standing import Caller, keys_behind, people_behind
from meters.batteries.models import Battery
from meters.devices.querysets import sees_all_devices
from meters.models import Alarm

READING_SCOPES = (Scope.QUERIES, Scope.BATTERIES)
NEWEST_SHOWN = 20
_SEES_EVERY_ALARM = frozenset({Role.ADMIN, Role.OPERATOR})


class Refused(Enum):
    """Why somebody may not listen."""

    NO_LOGIN = auto()
    NOT_ALLOWED = auto()
    NOT_THEIRS = auto()


@dataclass(frozen=True, slots=True)
class Listening:
    """Somebody who listens to a battery."""

    caller: Caller
    battery_pk: int


@dataclass(slots=True)
class Open:
    """The open alarms of a battery as somebody may see them: how many, and the newest."""

    count: int
    newest: list[Alarm]


def refusals(listening: Collection[Listening], *, now: datetime) -> dict[Listening, Refused]:
    """Return who may not listen any more, in four queries at most, however many listen."""
    callers = {each.caller for each in listening}
    people = people_behind([caller for caller in callers if caller.key_id is None], now=now)
    keys = keys_behind([caller for caller in callers if caller.key_id is not None], now=now)
    theirs = _theirs(people.values(), {each.battery_pk for each in listening}, now=now)
    found = {}
    for each in listening:
        if (key := keys.get(each.caller)) is not None:
            if not any(key.source.allows(scope) for scope in READING_SCOPES):
                found[each] = Refused.NOT_ALLOWED
        elif (user := people.get(each.caller)) is None:
            found[each] = Refused.NO_LOGIN
        elif user.role == Role.AGENT:
            found[each] = Refused.NOT_ALLOWED
        elif not sees_all_devices(user) and (user.pk, each.battery_pk) not in theirs:
            found[each] = Refused.NOT_THEIRS
    return found


def alarms_heard(listening: Collection[Listening], *, now: datetime) -> dict[Listening, Open]:
    """Return the open alarms of batteries as each listener may see them.

    Costs five queries at most, and one more for each manager among them where an alarm is open.
    """
    people = people_behind({each.caller for each in listening}, now=now)
    batteries = Battery.objects.filter(pk__in={each.battery_pk for each in listening})
    return _heard(listening, people, dict(batteries.values_list("battery_id", "pk")), now=now)


def alarms_first_heard(listening: Listening, user: User, battery: Battery, *, now: datetime) -> Open:
    """Return the open alarms of a battery as somebody who comes to listen may see them, in two queries at most."""
    return _heard([listening], {listening.caller: user}, {battery.battery_id: battery.pk}, now=now)[listening]


def _heard(
    listening: Collection[Listening], people: Mapping[Caller, User], keys_of: Mapping[str, int], *, now: datetime
) -> dict[Listening, Open]:
    found = list(Alarm.objects.open().filter(subject_kind="battery", subject__in=keys_of))
    seen = _seen_alarms(people.values(), [alarm.pk for alarm in found], now=now) if found else {}
    by_battery = defaultdict(list)
    for alarm in found:
        by_battery[keys_of[alarm.subject]].append(alarm)
    heard = {}
    for each in listening:
        if (user := people.get(each.caller)) is not None:
            shown = [
                alarm
                for alarm in by_battery.get(each.battery_pk, ())
                if user.role in _SEES_EVERY_ALARM or (user.pk, alarm.pk) in seen
            ]
            heard[each] = Open(len(shown), shown[:NEWEST_SHOWN])
    return heard


def _theirs(users: Iterable[User], battery_pks: Collection[int], *, now: datetime) -> set[tuple[UUID, int]]:
    customers = {user.pk for user in users if user.role == Role.CUSTOMER}
    if not customers:
        return set()
    path = "account__accesses"
    pairs = Battery.objects.filter(
        **{"pk__in": battery_pks, f"{path}__user__in": customers, f"{path}__valid__contains": now}
    )
    return set(pairs.order_by().values_list(f"{path}__user", "pk"))


def _seen_alarms(users: Iterable[User], alarm_pks: Collection[UUID], *, now: datetime) -> set[tuple[UUID, UUID]]:
    by_role = defaultdict(set)
    for user in users:
        by_role[user.role].add(user)
    path = "account__accesses"
    through_account = {f"{path}__user__in": by_role[Role.CUSTOMER], f"{path}__valid__contains": now}
    alarms = Alarm.objects.filter(pk__in=alarm_pks).order_by()
    seen = set(alarms.filter(**through_account).values_list(f"{path}__user", "pk")) if by_role[Role.CUSTOMER] else set()
    for manager in by_role[Role.MANAGER]:
        seen |= {(manager.pk, pk) for pk in alarms.visible_to(manager).values_list("pk", flat=True)}
    return seen
