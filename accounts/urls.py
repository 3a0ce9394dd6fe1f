"""Paths of accounts."""

from django.urls import URLPattern, URLResolver, include, path

from accounts import pages
from accounts.api import urls as api_urls

app_name = "accounts"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api_urls.urlpatterns)),
    path("login", pages.LoginView.as_view(), name="login"),
    path("logout", pages.logout, name="logout"),
    path("password", pages.password_change, name="password_change"),
    path("password/reset", pages.password_reset, name="password_reset"),
    path("password/reset/sent", pages.password_reset_done, name="password_reset_done"),
    path("password/reset/<uidb64>/<token>", pages.PasswordResetConfirmView.as_view(), name="password_reset_confirm"),
    path("invitations/<token>", pages.invitation, name="invitation"),
    path("profile", pages.profile, name="profile"),
    path("notifications", pages.notifications, name="notifications"),
    path("household", pages.household, name="household"),
    path("household/invite", pages.invite, name="household_invite"),
    path("household/members", pages.add_member, name="household_add_member"),
    path("household/members/<uuid:member_id>/remove", pages.remove_member, name="household_remove_member"),
    path("household/access/<uuid:access_id>", pages.change_access, name="household_change_access"),
    path("household/access/<uuid:access_id>/end", pages.end_access, name="household_end_access"),
    path(
        "household/invitations/<uuid:invitation_id>/revoke",
        pages.revoke_invitation,
        name="household_revoke_invitation",
    ),
    path(
        "household/invitations/<uuid:invitation_id>/send",
        pages.send_invitation_again,
        name="household_send_invitation",
    ),
]
