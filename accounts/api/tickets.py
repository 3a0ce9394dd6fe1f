"""Tickets for streams."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import person_of
from accounts.services.tickets import LIFETIME_SECONDS, issue_ticket


class StreamTicketOut(serializers.Serializer[Any]):
    """A ticket, and for how long it opens one stream."""

    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


class StreamTicketView(APIView):
    """For clients that cannot send a header when they open a stream."""

    @extend_schema(operation_id="stream_tickets_create", tags=["auth"], request=None, responses={201: StreamTicketOut})
    def post(self, request: Request) -> Response:
        """Return a ticket that opens one websocket or event stream, as `?ticket=`, within a minute."""
        ticket = issue_ticket(user=person_of(request))
        return Response({"ticket": ticket, "expires_in": LIFETIME_SECONDS}, status=201)
