"""The paths of what batteries tell: out, and in."""

from drf_spectacular.utils import extend_schema_view

from meters.batteries.api.live import ReceiveReadings, receiving
from meters.batteries.api.readings import ReadReadings, read_schema
from meters.batteries.quantities import System


@extend_schema_view(get=read_schema(System.BMS), post=receiving(System.BMS))
class BMSReadingsView(ReceiveReadings, ReadReadings):
    """What a battery's BMS tells."""

    system = System.BMS


@extend_schema_view(get=read_schema(System.PCS), post=receiving(System.PCS))
class PCSReadingsView(ReceiveReadings, ReadReadings):
    """What a battery's PCS tells."""

    system = System.PCS
