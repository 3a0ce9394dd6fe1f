"""Paths of the API of field operations."""

from django.urls import URLPattern, URLResolver, path

from field_ops.api import agents, approvals, assignments, notices, photos, proposals, rounds, submissions

urlpatterns: list[URLPattern | URLResolver] = [
    path("agents", agents.AgentListView.as_view(), name="api_agents"),
    path("agents/me", agents.OwnAgentView.as_view(), name="api_own_agent"),
    path("agents/me/shift", agents.OwnShiftView.as_view(), name="api_own_shift"),
    path("agents/me/status", agents.OwnStatusView.as_view(), name="api_own_status"),
    path("agents/me/location", agents.OwnLocationView.as_view(), name="api_own_location"),
    path("agents/me/notices", notices.OwnNoticesView.as_view(), name="api_own_notices"),
    path("agents/me/notices/seen", notices.OwnNoticesSeenView.as_view(), name="api_own_notices_seen"),
    path("agents/<uuid:agent_id>", agents.AgentDetailView.as_view(), name="api_agent"),
    path("submissions/<uuid:submission_id>/photo", photos.SubmissionPhotoView.as_view(), name="api_submission_photo"),
    path("submissions", submissions.SubmissionListView.as_view(), name="api_submissions"),
    path("submissions/<uuid:submission_id>", submissions.SubmissionDetailView.as_view(), name="api_submission"),
    path("approvals", approvals.ApprovalListView.as_view(), name="api_approvals"),
    path("approvals/bulk-approve", approvals.ApprovalBulkView.as_view(), name="api_approvals_bulk"),
    path("approvals/<uuid:request_id>", approvals.ApprovalDetailView.as_view(), name="api_approval"),
    path("approvals/<uuid:request_id>/approve", approvals.ApprovalApproveView.as_view(), name="api_approval_approve"),
    path("approvals/<uuid:request_id>/reject", approvals.ApprovalRejectView.as_view(), name="api_approval_reject"),
    path("approvals/<uuid:request_id>/return", approvals.ApprovalReturnView.as_view(), name="api_approval_return"),
    path("assignments", assignments.AssignmentListView.as_view(), name="api_assignments"),
    path("assignments/proposals", proposals.ProposalView.as_view(), name="api_assignment_proposals"),
    path("assignments/proposals/confirm", proposals.ProposalConfirmView.as_view(), name="api_assignment_confirm"),
    path("assignments/<uuid:assignment_id>", assignments.AssignmentDetailView.as_view(), name="api_assignment"),
    path(
        "assignments/<uuid:assignment_id>/start",
        assignments.AssignmentStartView.as_view(),
        name="api_assignment_start",
    ),
    path(
        "assignments/<uuid:assignment_id>/cancel",
        assignments.AssignmentCancelView.as_view(),
        name="api_assignment_cancel",
    ),
    path(
        "assignments/<uuid:assignment_id>/reassign",
        assignments.AssignmentReassignView.as_view(),
        name="api_assignment_reassign",
    ),
    path("rounds", rounds.RoundListView.as_view(), name="api_rounds"),
    path("rounds/<uuid:round_id>", rounds.RoundDetailView.as_view(), name="api_round"),
]
