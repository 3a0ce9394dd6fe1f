"""What agents hear of: on their pages until they have seen it, by mail if they have not seen it soon."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from field_ops.models import AgentNotice, Assignment
from field_ops.services.mailing import mail_notices
from field_ops.services.news import tell, work_group

__all__ = ["mail_notices", "mark_seen", "notify"]


@transaction.atomic
def notify(*, agent_id: UUID, kind: AgentNotice.Kind, assignment: Assignment, text: str, now: datetime) -> AgentNotice:
    """Let an agent hear of something, once it is committed."""
    notice: AgentNotice = AgentNotice.objects.create(
        agent_id=agent_id, kind=kind, assignment=assignment, text=text, created_at=now
    )
    tell(work_group(agent_id))
    return notice


@transaction.atomic
def mark_seen(*, agent_id: UUID, up_to: int, now: datetime) -> int:
    """Note that an agent has seen their notices up to one; returns how many were new to them."""
    unseen = AgentNotice.objects.filter(agent=agent_id, seen_at=None, pk__lte=up_to)
    seen: int = unseen.update(seen_at=now)
    if seen:
        tell(work_group(agent_id))
    return seen
