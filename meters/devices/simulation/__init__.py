"""A fleet of devices that nobody has: what it would say, and when."""

from meters.devices.simulation.fleet import Family, Fleet, Parcel, Reading
from meters.devices.simulation.wire import http_request, mqtt_message

__all__ = ["Family", "Fleet", "Parcel", "Reading", "http_request", "mqtt_message"]
