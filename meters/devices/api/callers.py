"""Who asks about devices."""

from accounts.api.permissions import HasScope, IsPerson
from accounts.roles import Scope

# People see the devices of theirs, operators and managers all; machines need the scope.
MayUseDevices = IsPerson | HasScope(Scope.DEVICES)
