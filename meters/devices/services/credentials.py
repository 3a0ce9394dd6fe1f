"""Devices' logins at the MQTT broker, as Mosquitto checks them: hashed passwords and who may use which topic."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from meters.devices.models import Device, MqttCredential
from meters.devices.selectors.commands import device_for
from meters.devices.selectors.credentials import devices_without_credential, hashes_in_force

# Mosquitto's own choice (mosquitto_passwd): the secrets are random, so that more would only slow the broker's logins.
_ITERATIONS = 101
_SALT_BYTES, _HASH_BYTES, _PASSWORD_BYTES = 12, 64, 24
_AT_ONCE = 1_000
# What would end the name in the file, or be a wildcard in a topic.
_UNFIT = re.compile(r"[:/+#\s\x00]")
_ACL = """\
user {gateway}
topic readwrite {prefix}/#

pattern write {prefix}/devices/%u/energy
pattern write {prefix}/devices/%u/status
pattern write {prefix}/devices/%u/command/ack
pattern read {prefix}/devices/%u/command
pattern read {prefix}/alerts/%u
{more}"""


@dataclass(frozen=True)
class Written:
    """How many logins a password file holds, and the devices whose names cannot be one."""

    logins: int
    unfit: tuple[str, ...]


@transaction.atomic
def make_credential(*, device_id: str, actor: Actor, now: datetime) -> str:
    """Give a device a login at the broker, in place of the one that it may have.

    :returns: the password that nobody can ever read again; the name is the device's own.
    :raises UnknownDevice: there is none that the actor sees.
    """
    device = device_for(device_id=device_id, actor=actor)
    password = _store([device], now)[device.device_id]
    audit.record(action="device.credential_made", obj=device, actor=actor, now=now)
    return password


def make_missing_credentials(*, actor: Actor, now: datetime) -> Iterator[tuple[str, str]]:
    """Give every device in service that has none a login, a thousand at a time; yields names and passwords.

    What was yielded stands, so that whoever stops goes on where they stopped.
    """
    while devices := devices_without_credential(limit=_AT_ONCE):
        with transaction.atomic():
            made = _store(devices, now)
            for device in devices:
                audit.record(action="device.credential_made", obj=device, actor=actor, now=now)
        yield from made.items()


def write_access_files(
    *, folder: Path, mqtt_url: str, prefix: str, subjects: Mapping[str, Iterable[str]] = MappingProxyType({})
) -> Written:
    """Write ``passwd`` and ``acl`` for Mosquitto: of the gateway, and of all devices in service that have a login.

    Each file replaces the one before as a whole, readable by its owner alone.

    :param mqtt_url: holds the gateway's own login.
    :param subjects: kinds of messages by the subject, beside devices, of which whoever has a login sends in its name.
    """
    more = "".join(
        f"pattern write {prefix}/{subject}/%u/{kind}\n" for subject, kinds in subjects.items() for kind in kinds
    )
    parts = urlsplit(mqtt_url)
    gateway, password = unquote(parts.username or ""), unquote(parts.password or "")
    unfit: list[str] = []
    logins = 0

    def lines() -> Iterator[str]:
        nonlocal logins
        if gateway:
            yield f"{gateway}:{hash_of(password)}"
        for name, password_hash in hashes_in_force():
            if _UNFIT.search(name) or name == gateway:
                unfit.append(name)
                continue
            logins += 1
            yield f"{name}:{password_hash}"

    _replace(folder / "passwd", lines())
    _replace(folder / "acl", [_ACL.format(gateway=gateway or "portal", prefix=prefix, more=more)])
    return Written(logins, tuple(unfit))


def hash_of(password: str, *, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return what Mosquitto keeps of a password: ``$7$iterations$salt$hash``, PBKDF2 with SHA-512."""
    salt = random(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, _HASH_BYTES)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _store(devices: Iterable[Device], now: datetime) -> dict[str, str]:
    passwords = {device: secrets.token_urlsafe(_PASSWORD_BYTES) for device in devices}
    MqttCredential.objects.bulk_create(
        (
            MqttCredential(device=device, password_hash=hash_of(password), created_at=now)
            for device, password in passwords.items()
        ),
        update_conflicts=True,
        unique_fields=["device"],
        update_fields=["password_hash", "created_at"],
    )
    return {device.device_id: password for device, password in passwords.items()}


def _replace(path: Path, lines: Iterable[str]) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with unfinished.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    unfinished.replace(path)
