from meters.models.chain import Binding, ChainEvent, Installation
from meters.models.places import Meter, Register, ServicePoint
from meters.models.readings import ReadingException, RegisterReading, RegisterState
from meters.models.requests import RegistrationRequest

__all__ = [
    "Binding",
    "ChainEvent",
    "Installation",
    "Meter",
    "ReadingException",
    "Register",
    "RegisterReading",
    "RegisterState",
    "RegistrationRequest",
    "ServicePoint",
]
