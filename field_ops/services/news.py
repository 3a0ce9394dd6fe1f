"""Tell pages that stay open that something changed, once it is committed: they look for themselves what it is."""

from uuid import UUID

from energy_portal.shared.jobs import enqueue_on_commit

APPROVALS_GROUP = "field.approvals"
AGENTS_GROUP = "field.agents"


def work_group(agent_id: UUID) -> str:
    """Return the group of an agent's own pages."""
    return f"field.work.{agent_id.hex}"


def tell(*groups: str) -> None:
    """Let the pages of some groups look again after the running transaction commits."""
    enqueue_on_commit("field_ops.tasks.tell", groups=sorted(set(groups)))
