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
from meters.models.requests import RegistrationRequest
from meters.models.rules import Rehearsal, RuleCode, Severity, ValidationRule
from meters.models.work import Job, ReadingWork

__all__ = [
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
    "Register",
    "RegisterDay",
    "RegisterReading",
    "RegisterState",
    "RegistrationRequest",
    "Rehearsal",
    "RuleCode",
    "ServicePoint",
    "Severity",
    "SupersededReading",
    "ValidationRule",
]
