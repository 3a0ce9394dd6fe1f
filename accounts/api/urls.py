"""Paths of the API of accounts."""

from django.urls import path

from accounts.api import customers, sources, tickets, tokens

urlpatterns = [
    path("auth/token", tokens.TokenView.as_view(), name="api_token"),
    path("auth/refresh", tokens.RefreshView.as_view(), name="api_refresh"),
    path("auth/logout", tokens.LogoutView.as_view(), name="api_logout"),
    path("stream-tickets", tickets.StreamTicketView.as_view(), name="api_stream_tickets"),
    path("me", customers.MeView.as_view(), name="api_me"),
    path("me/notifications", customers.NotificationsView.as_view(), name="api_me_notifications"),
    path("accounts", customers.AccountListView.as_view(), name="api_accounts"),
    path("accounts/<uuid:account_id>", customers.AccountDetailView.as_view(), name="api_account"),
    path("accounts/<uuid:account_id>/members", customers.MemberListView.as_view(), name="api_members"),
    path(
        "accounts/<uuid:account_id>/members/<uuid:member_id>",
        customers.MemberDetailView.as_view(),
        name="api_member",
    ),
    path("accounts/<uuid:account_id>/access", customers.AccessListView.as_view(), name="api_accesses"),
    path("accounts/<uuid:account_id>/access/<uuid:access_id>", customers.AccessDetailView.as_view(), name="api_access"),
    path("accounts/<uuid:account_id>/invitations", customers.InvitationListView.as_view(), name="api_invitations"),
    path(
        "accounts/<uuid:account_id>/invitations/<uuid:invitation_id>",
        customers.InvitationDetailView.as_view(),
        name="api_invitation",
    ),
    path("sources", sources.SourceListView.as_view(), name="api_sources"),
    path("sources/<uuid:source_id>", sources.SourceDetailView.as_view(), name="api_source"),
    path("sources/<uuid:source_id>/keys", sources.SourceKeyListView.as_view(), name="api_source_keys"),
    path("sources/<uuid:source_id>/keys/<uuid:key_id>", sources.SourceKeyDetailView.as_view(), name="api_source_key"),
]
