from field_ops.models.agents import Agent, AgentNotice, AgentPosition, Phone, Shift
from field_ops.models.approvals import ApprovalRequest, Decision, Risk
from field_ops.models.submissions import Photo, PhotoUpload, Submission
from field_ops.models.work import OPEN_STATES, Assignment, AssignmentStep, Round, RoundRun, RoundStop

__all__ = [
    "OPEN_STATES",
    "Agent",
    "AgentNotice",
    "AgentPosition",
    "ApprovalRequest",
    "Assignment",
    "AssignmentStep",
    "Decision",
    "Phone",
    "Photo",
    "PhotoUpload",
    "Risk",
    "Round",
    "RoundRun",
    "RoundStop",
    "Shift",
    "Submission",
]
