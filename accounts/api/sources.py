"""Data sources and their keys, for admins."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, actor_of
from accounts.api.serializers import NewKeyOut, SourceIn, SourceOut
from accounts.models import DataSource
from accounts.roles import Role
from accounts.selectors.sources import sources_with_keys
from accounts.services import sources

_ADMINS: tuple[type[BasePermission], ...] = (HasRole(Role.ADMIN),)


@extend_schema_view(get=extend_schema(operation_id="sources_list", tags=["sources"]))
class SourceListView(ListAPIView[DataSource]):
    """The machines that push data or ask for it."""

    queryset = DataSource.objects.none()
    permission_classes = _ADMINS
    serializer_class = SourceOut
    ordering = ("name",)
    filter_backends = ()

    def get_queryset(self) -> QuerySet[DataSource]:
        return sources_with_keys()

    @extend_schema(operation_id="sources_create", tags=["sources"], request=SourceIn, responses={201: NewKeyOut})
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Admit a machine; its key is in this answer and never again, so an Idempotency-Key is not kept for it."""
        wanted = SourceIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        source, key = sources.create_source(**wanted.validated_data, actor=actor_of(request), now=timezone.now())
        return Response(NewKeyOut({"id": source.public_id, "key": key}).data, status=201)


@extend_schema_view(get=extend_schema(operation_id="sources_retrieve", tags=["sources"]))
class SourceDetailView(RetrieveAPIView[DataSource]):
    """One data source."""

    queryset = DataSource.objects.none()
    permission_classes = _ADMINS
    serializer_class = SourceOut
    lookup_field = "public_id"
    lookup_url_kwarg = "source_id"

    def get_queryset(self) -> QuerySet[DataSource]:
        return sources_with_keys()

    @extend_schema(operation_id="sources_revoke", tags=["sources"], responses={204: None})
    def delete(self, request: Request, source_id: UUID) -> Response:
        """Shut the source out for good; what it sent stays."""
        sources.revoke_source(source_id=source_id, actor=actor_of(request), now=timezone.now())
        return Response(status=204)


class SourceKeyListView(APIView):
    """The keys of a data source."""

    permission_classes = _ADMINS

    @extend_schema(operation_id="source_keys_rotate", tags=["sources"], request=None, responses={201: NewKeyOut})
    def post(self, request: Request, source_id: UUID) -> Response:
        """Make a new key; the one in use lapses after a week. The new key is in this answer and never again."""
        key = sources.rotate_key(source_id=source_id, actor=actor_of(request), now=timezone.now())
        return Response(NewKeyOut({"id": source_id, "key": key}).data, status=201)


class SourceKeyDetailView(APIView):
    """One key of a data source."""

    permission_classes = _ADMINS

    @extend_schema(operation_id="source_keys_revoke", tags=["sources"], responses={204: None})
    def delete(self, request: Request, source_id: UUID, key_id: UUID) -> Response:
        """Shut the key out at once."""
        sources.revoke_key(source_id=source_id, key_id=key_id, actor=actor_of(request), now=timezone.now())
        return Response(status=204)
