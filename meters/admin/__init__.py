"""The managers' pages for everything that meters."""

from meters.admin.alarm_rules import AlarmRuleAdmin
from meters.admin.alarms import AlarmAdmin
from meters.admin.archive import ArchivedMonthAdmin
from meters.admin.chain import BindingAdmin, ChainEventAdmin, InstallationAdmin
from meters.admin.corrections import CorrectionAdmin
from meters.admin.events import DomainEventAdmin, EventDeliveryAdmin
from meters.admin.exceptions import ReadingExceptionAdmin
from meters.admin.history import SupersededReadingAdmin
from meters.admin.jobs import JobAdmin
from meters.admin.meters import MeterAdmin, RegisterAdmin
from meters.admin.queues import RegistrationRequestAdmin
from meters.admin.regions import RegionAdmin
from meters.admin.rules import RehearsalAdmin, ValidationRuleAdmin
from meters.admin.service_points import ServicePointAdmin

__all__ = [
    "AlarmAdmin",
    "AlarmRuleAdmin",
    "ArchivedMonthAdmin",
    "BindingAdmin",
    "ChainEventAdmin",
    "CorrectionAdmin",
    "DomainEventAdmin",
    "EventDeliveryAdmin",
    "InstallationAdmin",
    "JobAdmin",
    "MeterAdmin",
    "ReadingExceptionAdmin",
    "RegionAdmin",
    "RegisterAdmin",
    "RegistrationRequestAdmin",
    "RehearsalAdmin",
    "ServicePointAdmin",
    "SupersededReadingAdmin",
    "ValidationRuleAdmin",
]
