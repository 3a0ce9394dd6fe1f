"""The mails of accounts: plain text, with links to the portal's own address."""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import Invitation, User
from energy_portal.shared.clock import zone
from energy_portal.shared.jobs import enqueue_on_commit

RESET_TASK = "accounts.tasks.send_password_reset"


def request_password_reset(*, email: str) -> None:
    """Have a reset link mailed, if the address has a login; whoever asks sees the same either way, as fast."""
    enqueue_on_commit(RESET_TASK, email=email.strip().lower())


def send_password_reset(*, email: str) -> None:
    """Mail a link by which somebody who may log in sets a new password; to a stranger nothing is sent."""
    user = User.objects.filter(email__iexact=email, status=User.Status.ACTIVE).first()
    if user is None:
        return
    path = reverse(
        "accounts:password_reset_confirm",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        },
    )
    hours = settings.PASSWORD_RESET_TIMEOUT // 3_600
    _send(
        to=user.email,
        subject="Set a new password for the energy portal",
        template="accounts/mail/password_reset.txt",
        context={"user": user, "link": settings.PORTAL_URL + path, "hours": hours},
    )


def send_invitation(invitation: Invitation, token: str) -> None:
    """Mail the link that accepts an invitation."""
    path = reverse("accounts:invitation", kwargs={"token": token})
    with timezone.override(zone(invitation.account.zone)):
        _send(
            to=invitation.email,
            subject="You are invited to an account of the energy portal",
            template="accounts/mail/invitation.txt",
            context={"invitation": invitation, "link": settings.PORTAL_URL + path},
        )


def _send(*, to: str, subject: str, template: str, context: dict[str, object]) -> None:
    send_mail(subject, render_to_string(template, context), settings.DEFAULT_FROM_EMAIL, [to])
