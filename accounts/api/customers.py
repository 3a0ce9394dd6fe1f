"""People's own data, and the accounts that they may see."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import GenericAPIView, ListAPIView, RetrieveAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, actor_of, person_of
from accounts.api.serializers import (
    AccessIn,
    AccessOut,
    AccountOut,
    FamilyMemberIn,
    FamilyMemberOut,
    InvitationIn,
    InvitationOut,
    MeIn,
    MeOut,
    NotificationsIn,
)
from accounts.models import AccountAccess, CustomerAccount, FamilyMember, Invitation
from accounts.roles import Role
from accounts.selectors.access import administers, administers_any
from accounts.selectors.notifications import choices_of
from accounts.services import access, customers, users
from accounts.services.notifications import choose_notifications

SEES_ACCOUNTS: tuple[type[BasePermission], ...] = (HasRole(Role.CUSTOMER, Role.MANAGER, Role.ADMIN),)


@extend_schema(tags=["me"])
class MeView(APIView):
    """The person behind the token."""

    @extend_schema(operation_id="me_retrieve", responses=MeOut)
    def get(self, request: Request) -> Response:
        """Tell who is logged in."""
        return Response(MeOut(person_of(request)).data)

    @extend_schema(operation_id="me_update", request=MeIn, responses=MeOut)
    def patch(self, request: Request) -> Response:
        """Change one's own name, telephone number, language, zone or theme."""
        changes = MeIn(data=request.data)
        changes.is_valid(raise_exception=True)
        user = users.change_profile(
            user_id=person_of(request).pk,
            changes=changes.validated_data,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(MeOut(user).data)


@extend_schema(tags=["me"])
class NotificationsView(APIView):
    """What one is told of by e-mail."""

    permission_classes = (HasRole(Role.CUSTOMER),)

    @extend_schema(operation_id="me_notifications_retrieve", responses=NotificationsIn)
    def get(self, request: Request) -> Response:
        """Tell which kinds of news one is told of."""
        return Response(self._standing(request))

    @extend_schema(operation_id="me_notifications_update", request=NotificationsIn, responses=NotificationsIn)
    def patch(self, request: Request) -> Response:
        """Choose kinds of news; those that are not named stay."""
        chosen = NotificationsIn(data=request.data)
        chosen.is_valid(raise_exception=True)
        choose_notifications(
            user_id=person_of(request).pk,
            choices=chosen.validated_data,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(self._standing(request))

    def _standing(self, request: Request) -> dict[str, bool]:
        user = person_of(request)
        found = choices_of(user, administers_any=administers_any(user=user, now=timezone.now()))
        return {kind.value: wanted for kind, wanted in found.items()}


@extend_schema_view(get=extend_schema(operation_id="accounts_list", tags=["accounts"]))
class AccountListView(ListAPIView[CustomerAccount]):
    """The accounts that one may see."""

    queryset = CustomerAccount.objects.none()
    permission_classes = SEES_ACCOUNTS
    serializer_class = AccountOut
    ordering = ("number",)
    filterset_fields = ("number", "status")

    def get_queryset(self) -> QuerySet[CustomerAccount]:
        return CustomerAccount.objects.visible_to(person_of(self.request))


@extend_schema_view(get=extend_schema(operation_id="accounts_retrieve", tags=["accounts"]))
class AccountDetailView(RetrieveAPIView[CustomerAccount]):
    """One account."""

    queryset = CustomerAccount.objects.none()
    permission_classes = SEES_ACCOUNTS
    serializer_class = AccountOut
    lookup_url_kwarg = "account_id"

    def get_queryset(self) -> QuerySet[CustomerAccount]:
        return CustomerAccount.objects.visible_to(person_of(self.request))


class _OfAccount(GenericAPIView[Any]):
    """What belongs to one account: 404 unless one may see that."""

    permission_classes = SEES_ACCOUNTS
    filter_backends = ()

    def account(self) -> CustomerAccount:
        """Return the account of the path."""
        visible = CustomerAccount.objects.visible_to(person_of(self.request))
        found: CustomerAccount = get_object_or_404(visible, pk=self.kwargs["account_id"])
        return found

    def administered_account(self) -> CustomerAccount:
        """Return the account of the path if one may administer it.

        :raises NotAdministrator: one may only see it.
        """
        account = self.account()
        if not administers(account_id=account.pk, user=person_of(self.request), now=timezone.now()):
            raise access.NotAdministrator("You may see this account, but not administer it.")
        return account


class _ListOfAccount(_OfAccount, ListAPIView[Any]):
    """A list of what belongs to one account."""


@extend_schema_view(get=extend_schema(operation_id="account_members_list", tags=["accounts"]))
class MemberListView(IdempotentCreate, _ListOfAccount):
    """Who lives on an account."""

    queryset = FamilyMember.objects.none()
    serializer_class = FamilyMemberOut
    ordering = ("created_at", "pk")

    def get_queryset(self) -> QuerySet[FamilyMember]:
        return self.account().family_members.all()

    @extend_schema(
        operation_id="account_members_create",
        tags=["accounts"],
        parameters=[IDEMPOTENCY_KEY],
        request=FamilyMemberIn,
        responses={201: FamilyMemberOut},
    )
    def post(self, request: Request, account_id: UUID) -> Response:
        """Add somebody who lives on the account."""
        account = self.administered_account()
        member = FamilyMemberIn(data=request.data)
        member.is_valid(raise_exception=True)
        made = customers.add_family_member(
            account_id=account.pk, **member.validated_data, actor=actor_of(request), now=timezone.now()
        )
        return Response(FamilyMemberOut(made).data, status=201)


class MemberDetailView(_OfAccount):
    """Somebody who lives on an account."""

    serializer_class = FamilyMemberOut

    @extend_schema(operation_id="account_members_destroy", tags=["accounts"], responses={204: None})
    def delete(self, request: Request, account_id: UUID, member_id: UUID) -> Response:
        """Take somebody off the account."""
        account = self.administered_account()
        customers.remove_family_member(
            account_id=account.pk, member_id=member_id, actor=actor_of(request), now=timezone.now()
        )
        return Response(status=204)


@extend_schema_view(get=extend_schema(operation_id="account_access_list", tags=["accounts"]))
class AccessListView(_ListOfAccount):
    """Who may see or administer an account, now, before and later."""

    queryset = AccountAccess.objects.none()
    serializer_class = AccessOut
    ordering = ("created_at", "pk")

    def get_queryset(self) -> QuerySet[AccountAccess]:
        return self.account().accesses.select_related("user")


class AccessDetailView(_OfAccount):
    """One access to an account."""

    serializer_class = AccessOut

    @extend_schema(operation_id="account_access_change", tags=["accounts"], request=AccessIn, responses=AccessOut)
    def patch(self, request: Request, account_id: UUID, access_id: UUID) -> Response:
        """Give the access another right or end; what is not named stays."""
        standing: AccountAccess = get_object_or_404(self.account().accesses, pk=access_id)
        given = AccessIn(data=request.data)
        given.is_valid(raise_exception=True)
        changed = access.change_access(
            access_id=access_id,
            right=given.validated_data.get("right", standing.right),
            until=given.validated_data.get("end", standing.valid.upper),
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(AccessOut(changed).data)

    @extend_schema(operation_id="account_access_end", tags=["accounts"], responses={204: None})
    def delete(self, request: Request, account_id: UUID, access_id: UUID) -> Response:
        """End the access now."""
        get_object_or_404(self.account().accesses, pk=access_id)
        access.end_access(access_id=access_id, actor=actor_of(request), now=timezone.now())
        return Response(status=204)


@extend_schema_view(get=extend_schema(operation_id="account_invitations_list", tags=["accounts"]))
class InvitationListView(IdempotentCreate, _ListOfAccount):
    """Invitations to an account."""

    queryset = Invitation.objects.none()
    serializer_class = InvitationOut

    def get_queryset(self) -> QuerySet[Invitation]:
        return self.administered_account().invitations.all()

    @extend_schema(
        operation_id="account_invitations_create",
        tags=["accounts"],
        parameters=[IDEMPOTENCY_KEY],
        request=InvitationIn,
        responses={201: InvitationOut},
    )
    def post(self, request: Request, account_id: UUID) -> Response:
        """Invite somebody by e-mail."""
        offer = InvitationIn(data=request.data)
        offer.is_valid(raise_exception=True)
        made = access.invite(
            account_id=self.account().pk, **offer.validated_data, actor=actor_of(request), now=timezone.now()
        )
        return Response(InvitationOut(made).data, status=201)


class InvitationDetailView(_OfAccount):
    """One invitation."""

    serializer_class = InvitationOut

    @extend_schema(operation_id="account_invitations_revoke", tags=["accounts"], responses={204: None})
    def delete(self, request: Request, account_id: UUID, invitation_id: UUID) -> Response:
        """Take the invitation back."""
        get_object_or_404(self.administered_account().invitations, pk=invitation_id)
        access.revoke_invitation(invitation_id=invitation_id, actor=actor_of(request), now=timezone.now())
        return Response(status=204)
