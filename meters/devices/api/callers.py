"""Who asks about devices."""

from accounts.api.permissions import HasRole, HasScope, IsPerson
from accounts.roles import Role, Scope

# People see the devices of theirs, operators and managers all; machines need the scope.
MayUseDevices = IsPerson | HasScope(Scope.DEVICES)
MayKeepRegistry = HasRole(Role.OPERATOR, Role.MANAGER, Role.ADMIN) | HasScope(Scope.DEVICES)
