from meters.models.alarms import Alarm, AlarmNotice, AlarmRule, AlarmSeverity, AlarmWatch, SubjectKind
from meters.models.archive import ArchivedMonth
from meters.models.chain import Binding, ChainEvent, Installation
from meters.models.events import DomainEvent, EventDelivery
from meters.models.places import Meter, Register, ServicePoint
from meters.models.readings import (
    Correction,
    Quality,
    ReadingException,
    RegisterDay,
    RegisterReading,
    RegisterState,
    SupersededReading,
)
from meters.models.regions import Region, RegionManager
from meters.models.requests import RegistrationRequest
from meters.models.rules import Rehearsal, RuleCode, Severity, ValidationRule
from meters.models.work import Job, ReadingWork, RegistryChange

__all__ = [
    "Alarm",
    "AlarmNotice",
    "AlarmRule",
    "AlarmSeverity",
    "AlarmWatch",
    "ArchivedMonth",
    "Binding",
    "ChainEvent",
    "Correction",
    "DomainEvent",
    "EventDelivery",
    "Installation",
    "Job",
    "Meter",
    "Quality",
    "ReadingException",
    "ReadingWork",
    "Region",
    "RegionManager",
    "Register",
    "RegisterDay",
    "RegisterReading",
    "RegisterState",
    "RegistrationRequest",
    "RegistryChange",
    "Rehearsal",
    "RuleCode",
    "ServicePoint",
    "Severity",
    "SubjectKind",
    "SupersededReading",
    "ValidationRule",
]
