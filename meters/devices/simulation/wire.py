"""What a device says, as it says it: the opposite of decoding."""

from collections.abc import Mapping
from typing import Any

import msgspec

from meters.devices.simulation.fleet import Family, Parcel, Reading

_PRODUCTS = {Family.PROTOCOL_1000: "simulated1000", Family.LEGACY: "simulatedolder", Family.PLAIN: "simulatedplain"}
_CODES = {"power_w": "instant_power", "temperature_c": "temp_interior", "switch": "switch"}
# Units of the older family: 0.1 W, 0.1 V, mA, Wh.
_LEGACY_CODES = {
    "power_w": ("cur_power", 10),
    "voltage_v": ("cur_voltage", 10),
    "current_a": ("cur_current", 1_000),
    "energy_wh": ("add_ele", 1),
    "switch": ("switch_1", 1),
}


def http_request(parcel: Parcel) -> tuple[str, bytes]:
    """Return the path and the body that a parcel of readings is posted by."""
    if parcel.family is Family.PLAIN:
        items = [{"device_id": parcel.device, **_plain(parcel, reading)} for reading in parcel.readings]
        return "/api/v1/energy", _one_or_all(items)
    make = _legacy_message if parcel.family is Family.LEGACY else _message
    return "/message", _one_or_all([make(parcel, reading) for reading in parcel.readings])


def mqtt_message(parcel: Parcel) -> tuple[str, bytes]:
    """Return the end of the topic, ``{id}/energy`` or ``{id}/status``, and the payload."""
    if parcel.is_online is not None:
        return f"{parcel.device}/status", b"online" if parcel.is_online else b"offline"
    return f"{parcel.device}/energy", _one_or_all([_plain(parcel, reading) for reading in parcel.readings])


def _one_or_all(items: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode(items[0] if len(items) == 1 else items)


def _message(parcel: Parcel, reading: Reading) -> dict[str, Any]:
    properties = [
        {"code": code, "dpId": place, "time": reading.millis, "value": value}
        for place, (code, value) in enumerate(_told(parcel, reading.values).items(), 1)
    ]
    data = {"devId": parcel.device, "productId": _PRODUCTS[parcel.family], "properties": properties}
    return {"bizCode": "devicePropertyMessage", "bizData": data, "ts": parcel.millis}


def _legacy_message(parcel: Parcel, reading: Reading) -> dict[str, Any]:
    status = [
        {"code": code, "value": value, "t": reading.millis} for code, value in _told(parcel, reading.values).items()
    ]
    return {"devId": parcel.device, "productKey": _PRODUCTS[parcel.family], "status": status}


def _plain(parcel: Parcel, reading: Reading) -> dict[str, Any]:
    product = _PRODUCTS[parcel.family]
    return {"product_id": product, "time": reading.millis, **_told(parcel, reading.values)}


def _told(parcel: Parcel, values: Mapping[str, float | bool]) -> dict[str, Any]:
    """Return values by code, in the units of the device's family; the older one sends numbers as text."""
    if parcel.family is not Family.LEGACY:
        return {_CODES[quantity]: value for quantity, value in values.items()}
    told: dict[str, Any] = {}
    for quantity, value in values.items():
        code, factor = _LEGACY_CODES[quantity]
        told[code] = value if quantity == "switch" else str(round(factor * value))
    return told
