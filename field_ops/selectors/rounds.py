"""Rounds as somebody may see them."""

from uuid import UUID

from django.db.models import Count, Prefetch, QuerySet

from accounts.models import User
from energy_portal.shared.errors import NotFound
from field_ops.models import Round, RoundRun

RUNS_SHOWN = 24


class NoSuchRound(NotFound):
    """There is no such round, or not for the one who asks."""

    code = "no_such_round"


def rounds_for(user: User) -> QuerySet[Round]:
    """Return the rounds that somebody may see, with how many stops each has."""
    rows: QuerySet[Round] = Round.objects.visible_to(user)
    return rows.select_related("region", "agent__user").annotate(stop_count=Count("stops"))


def round_for(*, round_id: UUID, user: User) -> Round:
    """Return a round that somebody may see, with its stops and its last runs (``last_runs``).

    :raises NoSuchRound: none, or not theirs.
    """
    runs = RoundRun.objects.order_by("-on")[:RUNS_SHOWN]
    rows = rounds_for(user).prefetch_related("stops__meter", Prefetch("runs", runs, to_attr="last_runs"))
    found = rows.filter(pk=round_id).first()
    if found is None:
        raise NoSuchRound("There is no such round.")
    return found
