"""Alarms told to whoever listens at the MQTT broker: each by one gateway at a time."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from django.db import transaction

from meters.devices.store.commands import take_alert_turn
from meters.services.alarms import MqttNotice, mark_sent, pending_mqtt_notices


@transaction.atomic
def tell_alerts(*, most: int, tell: Callable[[Sequence[MqttNotice]], Collection[int]], now: datetime) -> None:
    """Hand the news that waits to ``tell``, and tick off what it says was told; nothing while another gateway does so.

    What the broker took before its receipt came is told again: at least once, as MQTT has it.
    """
    if not take_alert_turn():
        return
    waiting = pending_mqtt_notices(most)
    if waiting:
        mark_sent(tell(waiting), now)
