"""Alarms: what raises and clears them, what people do about them, and the news of it."""

from meters.services.alarms.acts import (
    AlarmOver,
    AlreadyAcknowledged,
    WrongSnooze,
    acknowledge,
    clear_alarm,
    raise_alarm,
    snooze,
)
from meters.services.alarms.mailing import send_digests
from meters.services.alarms.notices import (
    TELL_TASK,
    MqttNotice,
    forget_notices,
    mark_sent,
    pages_to_tell,
    pending_mqtt_notices,
)
from meters.services.alarms.rules import (
    AlarmRuleTaken,
    AlarmSettings,
    WrongAlarmRule,
    add_alarm_rule,
    change_alarm_rule,
    remove_alarm_rule,
    settings_of,
)
from meters.services.alarms.watching import (
    Observation,
    advance,
    check_silence,
    limits_of,
    observe,
    shortest_silence,
    silent_subjects,
    watched_quantities,
)

__all__ = [
    "TELL_TASK",
    "AlarmOver",
    "AlarmRuleTaken",
    "AlarmSettings",
    "AlreadyAcknowledged",
    "MqttNotice",
    "Observation",
    "WrongAlarmRule",
    "WrongSnooze",
    "acknowledge",
    "add_alarm_rule",
    "advance",
    "change_alarm_rule",
    "check_silence",
    "clear_alarm",
    "forget_notices",
    "limits_of",
    "mark_sent",
    "observe",
    "pages_to_tell",
    "pending_mqtt_notices",
    "raise_alarm",
    "remove_alarm_rule",
    "send_digests",
    "settings_of",
    "shortest_silence",
    "silent_subjects",
    "snooze",
    "watched_quantities",
]
