"""What the server runs: messages of machines, pages and API, websockets, and the process's own start and end."""

import gc
import os

import django

from energy_portal.embedded.worker import Ending, follow_parent

# A server that is killed leaves its workers holding the port, which a second start would silently share.
follow_parent()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.development")
django.setup(set_prefix=False)

# These read the settings and the apps, which are there only now.
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.urls import get_resolver

from energy_portal.routing import websockets
from energy_portal.shared.asgi import BodyGuard, ByPath, Lifespan, OneHopHandler, OriginCheck, StreamHandler
from meters.batteries.ingest import BatteryDoor
from meters.devices.ingest import DeviceDoor

_OBJECTS_UNTIL_COLLECTION = 25_000

_django = ByPath(OneHopHandler(), endings={"/stream": StreamHandler()})
_guarded = BodyGuard(_django, largest_bytes=settings.MAX_BODY_BYTES, longest_seconds=settings.BODY_TIMEOUT_SECONDS)
_battery_door = BatteryDoor(_guarded)
_battery_door.open()
_door = DeviceDoor(_battery_door)
_door.open()

# The collector stops every request while it looks. What is loaded by now stays and need not be looked at again, the
# views included, which the first request would load otherwise. An answer of a thousand intervals must not set it off.
_ = get_resolver().reverse_dict
gc.collect()
gc.freeze()
gc.set_threshold(_OBJECTS_UNTIL_COLLECTION, 10, 10)

application = Ending(
    ProtocolTypeRouter(
        {
            "http": _door,
            "websocket": OriginCheck(websockets, settings.ALLOWED_HOSTS),
            "lifespan": Lifespan(drain_seconds=settings.DRAIN_SECONDS),
        }
    ),
    drain_seconds=settings.DRAIN_SECONDS,
)
