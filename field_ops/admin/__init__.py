"""The managers' pages for field work."""

from field_ops.admin.agents import AgentAdmin, PhoneAdmin, ShiftAdmin
from field_ops.admin.approvals import ApprovalRequestAdmin
from field_ops.admin.assignments import AssignmentAdmin
from field_ops.admin.remedy import ExceptionsWithAgents
from field_ops.admin.rounds import RoundAdmin
from field_ops.admin.submissions import PhotoAdmin, SubmissionAdmin

__all__ = [
    "AgentAdmin",
    "ApprovalRequestAdmin",
    "AssignmentAdmin",
    "ExceptionsWithAgents",
    "PhoneAdmin",
    "PhotoAdmin",
    "RoundAdmin",
    "ShiftAdmin",
    "SubmissionAdmin",
]
