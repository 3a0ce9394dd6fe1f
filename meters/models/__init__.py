from meters.models.chain import Binding, ChainEvent, Installation
from meters.models.places import Meter, Register, ServicePoint
from meters.models.readings import Quality, ReadingException, RegisterReading, RegisterState
from meters.models.requests import RegistrationRequest

__all__ = [
    "Binding",
    "ChainEvent",
    "Installation",
    "Meter",
    "Quality",
    "ReadingException",
    "Register",
    "RegisterReading",
    "RegisterState",
    "RegistrationRequest",
    "ServicePoint",
]
