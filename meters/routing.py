"""Websockets of metering."""

from channels.sessions import SessionMiddlewareStack
from django.urls import path

from meters.consumers import AlarmsConsumer

websockets = [path("ws/alarms/", SessionMiddlewareStack(AlarmsConsumer.as_asgi()))]
