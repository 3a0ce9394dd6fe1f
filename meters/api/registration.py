"""Registering accounts: the published path."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of
from meters.api.callers import may_register
from meters.api.serializers import RegistrationIn, RegistrationOut
from meters.services.registration import register_account, request_registration


class RegisterAccountView(IdempotentCreate):
    """An account with its meters and family members."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="register_account",
        tags=["published paths"],
        parameters=[IDEMPOTENCY_KEY],
        request=RegistrationIn,
        responses={
            201: RegistrationOut,
            202: OpenApiResponse(RegistrationOut, description="Asked for; a manager decides, nothing is bound yet."),
            409: OpenApiResponse(description="`meter_bound`: supplies another account. `account_exists`."),
        },
        description=(
            "A manager's token or a key with the scope `accounts` registers at once (201). Anybody else's call, also "
            "without a login, makes a request that a manager confirms (202) and binds nothing until then. The same "
            "registration again gives the same answer and changes nothing."
        ),
        examples=[
            OpenApiExample(
                "household",
                request_only=True,
                value={
                    "account_id": "A-1001",
                    "owner_name": "Tan Wei Ming",
                    "email": "weiming@example.org",
                    "address": "12 Clementi Road",
                    "time_zone": "Asia/Singapore",
                    "meter_ids": ["SG-000123"],
                    "family_members": [{"name": "Tan Li Na", "relationship": "spouse"}],
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        wanted = RegistrationIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        registration = wanted.registration()
        actor, now = actor_of(request), timezone.now()
        answer = {"account_id": registration.account_number, "meters": registration.meter_serials}
        if may_register(request):
            account = register_account(registration=registration, actor=actor, now=now)
            return Response(RegistrationOut({**answer, "status": account.status}).data, status=status.HTTP_201_CREATED)
        asked = request_registration(registration=registration, actor=actor, now=now)
        return Response(
            RegistrationOut({**answer, "status": "pending", "request_id": asked.pk}).data,
            status=status.HTTP_202_ACCEPTED,
        )
