"""Websockets of field operations."""

from channels.sessions import SessionMiddlewareStack
from django.urls import path

from field_ops.consumers import AgentsConsumer, ApprovalsConsumer, WorkConsumer

websockets = [
    path("ws/agents/", SessionMiddlewareStack(AgentsConsumer.as_asgi())),
    path("ws/approvals/", SessionMiddlewareStack(ApprovalsConsumer.as_asgi())),
    path("ws/work/", SessionMiddlewareStack(WorkConsumer.as_asgi())),
]
