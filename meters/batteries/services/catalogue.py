"""Conventions: how sources and files write what batteries tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.actors import Actor
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict
from meters.batteries.conventions import Terms
from meters.batteries.models import Convention
from meters.services.history import save_as


class ConventionTaken(Conflict):
    """Another convention has this name, or is this source's."""

    code = "convention_taken"


class ConventionInUse(Conflict):
    """Batteries are written by it."""

    code = "convention_in_use"


@transaction.atomic
def save_convention(
    *, convention: Convention | None, values: Mapping[str, Any], actor: Actor, now: datetime
) -> Convention:
    """Enter or change a convention; it holds for what comes in some seconds later, what was stored before stays.

    :param convention: None for a new one.
    :raises Invalid: a value breaks its field's rule, names no signal, or a unit that cannot be converted.
    :raises ConventionTaken: the name or the source has one already.
    """
    row = convention or Convention()
    is_new = row._state.adding
    for name, value in values.items():
        setattr(row, name, value)
    check_fields(row)
    Terms.of(row)
    try:
        with transaction.atomic():
            save_as(actor, row)
    except IntegrityError as error:
        raise ConventionTaken(f"Another convention is called {row} already, or is of the same source.") from error
    verb = "created" if is_new else "changed"
    audit.record(action=f"convention.{verb}", obj=row, actor=actor, now=now, fields=sorted(values))
    return row


@transaction.atomic
def remove_convention(*, convention: Convention, actor: Actor, now: datetime) -> None:
    """Remove a convention by which no battery is written; its source writes as the portal does from then on.

    :raises ConventionInUse: batteries are written by it.
    """
    audit.record(action="convention.removed", obj=convention, actor=actor, now=now, name=convention.name)
    audit.sign_history(convention, actor)
    try:
        with transaction.atomic():
            convention.delete()
    except ProtectedError as error:
        raise ConventionInUse(f"Batteries are written by {convention}.") from error
