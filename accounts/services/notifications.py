"""What people want to be told of."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.models import NotificationChoice, NotificationKind, User
from accounts.services import audit
from accounts.services.users import NoSuchUser
from energy_portal.shared.errors import Invalid


@transaction.atomic
def choose_notifications(*, user_id: UUID, choices: Mapping[str, bool], actor: Actor, now: datetime) -> None:
    """Keep what somebody wants to be told of; kinds that are not named stay as they are.

    :param choices: by kind: whether they want it.
    :raises Invalid: there is no such kind.
    :raises NoSuchUser: nobody has that id.
    """
    if unknown := sorted(set(choices) - set(NotificationKind)):
        raise Invalid(f"There are no notifications of {', '.join(unknown)}.")
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NoSuchUser("There is no such user.")
    for kind, wanted in choices.items():
        NotificationChoice.objects.update_or_create(user=user, kind=kind, defaults={"wanted": wanted})
    audit.record(action="user.notifications_chosen", obj=user, actor=actor, now=now, choices=dict(choices))
