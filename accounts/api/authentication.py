"""Who calls the API: a machine with a key, or a person with a token."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import Token
from simple_history.models import HistoricalRecords

from accounts.models import DataSource, SourceKey, User
from accounts.selectors.sources import KEY_MARK, source_key
from accounts.selectors.standing import Caller
from accounts.services.sources import note_use
from accounts.services.tickets import redeem_ticket

EPOCH_CLAIM = "epoch"
CHALLENGE = 'Bearer realm="portal"'


@dataclass(frozen=True)
class SourceCaller:
    """A machine where a view expects a user: it is nobody in particular and has no role."""

    source: DataSource

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False
    role = ""

    @property
    def pk(self) -> str:
        """Name it apart from any person."""
        return f"source:{self.source.pk}"

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Tell that permissions are for people; a machine has scopes."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        """Tell that the admin is for people."""
        return False


class DataSourceAuthentication(BaseAuthentication):
    """``Authorization: Bearer ep_…``: the key of a data source; any other bearer is left to the next in line."""

    def authenticate(self, request: Request) -> tuple[SourceCaller, SourceKey] | None:
        words = get_authorization_header(request).split()
        if len(words) != 2 or words[0].lower() != b"bearer" or not words[1].startswith(KEY_MARK.encode()):
            return None
        now = timezone.now()
        key = source_key(text=words[1].decode("latin-1"), now=now)
        if key is None:
            raise AuthenticationFailed("This key is wrong, has lapsed or was revoked.", code="invalid_key")
        note_use(key=key, now=now)
        _leave_history_unsigned()
        return SourceCaller(key.source), key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class TokenAuthentication(JWTAuthentication):
    """``Authorization: Bearer <JWT>``: a person's access token, until it lapses or their logins are ended."""

    def get_user(self, validated_token: Token) -> Any:
        user: Any = super().get_user(validated_token)
        if validated_token.get(EPOCH_CLAIM, 0) != user.login_epoch:
            raise AuthenticationFailed("This login was ended; log in again.", code="login_ended")
        return user


class TicketAuthentication(BaseAuthentication):
    """``?ticket=``: opens one stream for whoever can send no header; only views of streams take it."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        ticket = request.query_params.get("ticket")
        if not ticket:
            return None
        user_id, epoch = redeem_ticket(ticket) or (None, 0)
        user = User.objects.filter(pk=user_id, login_epoch=epoch).first() if user_id else None
        if user is None or not user.is_active:
            raise AuthenticationFailed("This ticket is wrong, has lapsed or was used.", code="invalid_ticket")
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def caller_behind(request: Request) -> Caller:
    """Return by what an authenticated request came in, to look later whether it still opens anything."""
    if isinstance(request.auth, SourceKey):
        return Caller(key_id=request.auth.pk)
    if isinstance(request.successful_authenticator, SessionAuthentication):
        return Caller(session_key=request._request.session.session_key)
    user: Any = request.user
    return Caller(user_id=user.pk, epoch=user.login_epoch)


def calling_source(request: Request) -> SourceCaller | None:
    """Return the machine behind a request, None where it is a person or nobody."""
    caller: Any = request.user
    return caller if isinstance(caller, SourceCaller) else None


def _leave_history_unsigned() -> None:
    # django-simple-history signs a change with the request's user, who must be a person.
    with suppress(AttributeError):
        del HistoricalRecords.context.request
