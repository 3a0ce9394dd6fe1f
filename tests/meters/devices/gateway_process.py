"""A gateway on the database of a test: ``python -m tests.meters.devices.gateway_process DATABASE NAME``.

It prints ``up`` once it is subscribed, and ends by SIGTERM.
"""

import signal
import sys
import threading

import django
from django.db import connections


def main() -> int:
    django.setup()
    connections["default"].settings_dict["NAME"] = sys.argv[1]
    connections.settings["default"]["NAME"] = sys.argv[1]
    from meters.devices.gateway.service import Gateway

    gateway = Gateway(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_of: gateway.end())

    def tell() -> None:
        if gateway._link.wait_until_up(60):
            print("up", flush=True)

    threading.Thread(target=tell, daemon=True).start()
    return 0 if gateway.run() else 1


if __name__ == "__main__":
    sys.exit(main())
