"""Who may see which field work: ``visible_to`` on everything that is listed."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from accounts.roles import Role
from meters.querysets import in_regions_of

if TYPE_CHECKING:
    from accounts.models import User


class FieldQuerySet(models.QuerySet[Any]):
    """Rows of an agent in a region.

    ``agent_path`` leads from the row to the login of its agent, ``region_path`` to its region.
    """

    agent_path = "agent__user"
    region_path = "region"

    def visible_to(self, user: "User") -> Self:
        """Keep the rows that somebody may see: agents their own, managers those of their regions, admins all."""
        if not user.is_active:
            return self.none()
        if user.role == Role.ADMIN:
            return self
        if user.role == Role.MANAGER:
            return self.filter(in_regions_of(user, self.region_path))
        if user.role == Role.AGENT:
            return self.filter(**{self.agent_path: user})
        return self.none()


class AgentQuerySet(FieldQuerySet):
    """Agents."""

    agent_path = "user"


class OfAgentQuerySet(FieldQuerySet):
    """Rows that belong to one agent, wherever they work."""

    region_path = "agent__region"


class AssignmentQuerySet(FieldQuerySet):
    """Assignments."""

    region_path = "meter__region"

    def open(self) -> Self:
        """Keep those that are still to be done."""
        return self.filter(status__in=("pending", "in_progress", "overdue"))


class RoundQuerySet(FieldQuerySet):
    """Rounds."""


class SubmissionQuerySet(FieldQuerySet):
    """Submissions."""

    region_path = "meter__region"


class PhotoQuerySet(FieldQuerySet):
    """Photos of submissions."""

    agent_path = "submission__agent__user"
    region_path = "submission__meter__region"


class ApprovalQuerySet(FieldQuerySet):
    """Requests for approval; an agent sees how their own stand."""

    region_path = "meter__region"

    def waiting(self) -> Self:
        """Keep those that nobody has finished."""
        return self.filter(status__in=("pending", "under_review"))
