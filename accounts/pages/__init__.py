"""The pages on which people log in, keep their password, and share their account."""

from accounts.pages.household import (
    add_member,
    change_access,
    end_access,
    household,
    invite,
    remove_member,
    revoke_invitation,
    send_invitation_again,
)
from accounts.pages.invitations import invitation
from accounts.pages.login import (
    LoginView,
    PasswordResetConfirmView,
    logout,
    password_change,
    password_reset,
    password_reset_done,
)
from accounts.pages.notifications import notifications
from accounts.pages.profile import profile

__all__ = [
    "LoginView",
    "PasswordResetConfirmView",
    "add_member",
    "change_access",
    "end_access",
    "household",
    "invitation",
    "invite",
    "logout",
    "notifications",
    "password_change",
    "password_reset",
    "password_reset_done",
    "profile",
    "remove_member",
    "revoke_invitation",
    "send_invitation_again",
]
