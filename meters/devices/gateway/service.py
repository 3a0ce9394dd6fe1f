from datetime import UTC, datetime

from meters.devices.decoding import Mappings, Target
from meters.devices.gateway.intake import Doors, Terms
from meters.devices.services.commands import note_acks
from meters.devices.services.messages import take_samples


def doors():
    t = Terms(Mappings({"instant_power": Target.of("power_w", 1.0)}, {}), 1000, None)
    return Doors(
        terms=lambda: t,
        store=lambda x: take_samples(samples=x, now=datetime.now(UTC)),
        note_unknown=lambda x: None,
        note_statuses=lambda s, n: 0,
        note_acks=lambda a, n: note_acks(acks=a, now=n),
    )
