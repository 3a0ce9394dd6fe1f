"""The manifest of a backup: written last, so that a folder which has one is whole, and checked before any use."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from energy_portal.management.safekeeping.errors import SafekeepingFailed
from energy_portal.management.safekeeping.inventory import Inventory

NAME = "manifest.json"
FORMAT = 1

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class KeptFile:
    """A file's size and checksum."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds; ``files`` by their path below its folder."""

    portal_version: str
    taken_at: datetime
    database: str
    server_version: str
    inventory: Inventory
    files: dict[str, KeptFile]

    @property
    def bytes(self) -> int:
        """Return the size of all files together."""
        return sum(kept.bytes for kept in self.files.values())

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "format": FORMAT,
            "portal_version": self.portal_version,
            "taken_at": self.taken_at.isoformat(),
            "database": self.database,
            "server_version": self.server_version,
            "inventory": self.inventory.as_json(),
            "files": {path: asdict(kept) for path, kept in sorted(self.files.items())},
        }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest under its name whole and on disk, or not at all."""
    held = json.loads(json.dumps(manifest.as_json()))
    unfinished = folder / f".{NAME}-unfinished"
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump({**held, "sha256": _digest(held)}, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / NAME)
    sync_folder(folder)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a whole backup.

    :raises SafekeepingFailed: there is none, it was changed, or it is of a format that this portal does not know.
    """
    path = folder / NAME
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        stated = held.pop("sha256")
    except FileNotFoundError:
        raise SafekeepingFailed(
            f"{folder} holds no {NAME}: it is not a backup, or one that was not finished."
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SafekeepingFailed(f"{path} cannot be read, so the backup cannot be trusted: {error}") from error
    if stated != _digest(held):
        raise SafekeepingFailed(f"{path} was changed after it was written: its checksum differs.")
    if held.get("format") != FORMAT:
        raise SafekeepingFailed(f"{path} is of format {held.get('format')}; this portal reads format {FORMAT}.")
    return Manifest(
        portal_version=held["portal_version"],
        taken_at=datetime.fromisoformat(held["taken_at"]),
        database=held["database"],
        server_version=held["server_version"],
        inventory=Inventory.from_json(held["inventory"]),
        files={name: KeptFile(**kept) for name, kept in held["files"].items()},
    )


def verify_files(folder: Path, manifest: Manifest, *, on_file: Callable[[], None] = lambda: None) -> None:
    """Read every file of a backup and compare it with its checksum.

    :param on_file: called after each.
    :raises SafekeepingFailed: files differ, are missing, or do not belong to it; the message names them.
    """
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {NAME}
    wrong = [f"{name} is missing" for name in sorted(manifest.files.keys() - present)]
    wrong += [f"{name} does not belong to it" for name in sorted(present - manifest.files.keys())]
    for name in sorted(manifest.files.keys() & present):
        if checksum(folder / name) != manifest.files[name]:
            wrong.append(f"{name} was changed: its checksum differs")
        on_file()
    if wrong:
        raise SafekeepingFailed(f"The backup in {folder} is damaged:\n" + "\n".join(wrong))


def checksum(path: Path) -> KeptFile:
    """Read a file and return its size and checksum."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return KeptFile(size, digest.hexdigest())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(held: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(held, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
