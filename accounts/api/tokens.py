"""Tokens for people: obtained with e-mail and password, renewed by rotation, given back."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from django.db import transaction
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.api.authentication import CHALLENGE, EPOCH_CLAIM, TokenAuthentication
from accounts.models import User

_REFUSED = OpenApiResponse(description="A problem document: the credentials or the token open nothing.")


class CredentialsIn(serializers.Serializer[Any]):
    """What a person logs in with."""

    email = serializers.EmailField()
    password = serializers.CharField(trim_whitespace=False, max_length=1_000)


class RefreshIn(serializers.Serializer[Any]):
    """A refresh token."""

    refresh = serializers.CharField(max_length=4_000)


class TokensOut(serializers.Serializer[Any]):
    """A short-lived token for calls, and the one that renews both."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class _Door(APIView):
    """A view for those who have no valid token yet; whatever token they send along is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class TokenView(_Door):
    """Logging in."""

    @extend_schema(
        operation_id="auth_token",
        tags=["auth"],
        request=CredentialsIn,
        responses={200: TokensOut, 401: _REFUSED, 429: OpenApiResponse(description="Too many failures; wait.")},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Exchange e-mail and password for tokens."""
        credentials = CredentialsIn(data=request.data)
        credentials.is_valid(raise_exception=True)
        given = credentials.validated_data
        user = authenticate(request._request, username=given["email"].lower(), password=given["password"])
        if not isinstance(user, User):
            raise AuthenticationFailed("The e-mail address or the password is wrong.", code="invalid_credentials")
        update_last_login(User, user)
        return Response(_tokens(user))


class RefreshView(_Door):
    """Renewing."""

    @extend_schema(
        operation_id="auth_refresh",
        tags=["auth"],
        request=RefreshIn,
        responses={200: TokensOut, 401: _REFUSED},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token, once, for new tokens."""
        with transaction.atomic():
            token = _spent(request)
            user = TokenAuthentication().get_user(token)
            return Response(_tokens(user))


class LogoutView(_Door):
    """Leaving."""

    @extend_schema(
        operation_id="auth_logout", tags=["auth"], request=RefreshIn, responses={204: None, 401: _REFUSED}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Give a refresh token back; the access token beside it lapses within minutes."""
        with transaction.atomic():
            _spent(request)
        return Response(status=204)


def _tokens(user: User) -> dict[str, str]:
    refresh = RefreshToken.for_user(user)
    refresh[EPOCH_CLAIM] = user.login_epoch
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def _spent(request: Request) -> RefreshToken:
    """Return the refresh token of a request, blacklisted; of two calls with it only one gets it."""
    given = RefreshIn(data=request.data)
    given.is_valid(raise_exception=True)
    try:
        unchecked = RefreshToken(given.validated_data["refresh"], verify=False)
        OutstandingToken.objects.select_for_update(of=("self",)).filter(jti=unchecked.get("jti")).first()
        token = RefreshToken(given.validated_data["refresh"])
        token.blacklist()
    except TokenError as error:
        raise AuthenticationFailed(
            "This token is wrong, has lapsed or was used before.", code="invalid_token"
        ) from error
    return token
