"""Take a backup: one snapshot of the database, the files beside it, and the manifest last."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from psycopg import IsolationLevel

from energy_portal.management.safekeeping import store
from energy_portal.management.safekeeping.archived import (
    ArchivedPart,
    archive_held_still,
    archived_parts,
    require_archive,
)
from energy_portal.management.safekeeping.errors import SafekeepingFailed
from energy_portal.management.safekeeping.folders import copy_file, copy_folder, kept_folders, secret_key
from energy_portal.management.safekeeping.inventory import Inventory, take_inventory
from energy_portal.management.safekeeping.manifest import KeptFile, Manifest, checksum, write_manifest
from energy_portal.management.safekeeping.programs import JOBS, find_program, run_program
from energy_portal.management.safekeeping.server import Connection, Server
from energy_portal.management.safekeeping.steps import Steps

DATABASE = "database"
SECRET = "secret-key"  # noqa: S105 - the name of a file


@dataclass(frozen=True)
class _Dumped:
    inventory: Inventory
    archived: list[ArchivedPart]
    server_version: str


def take_backup(folder: Path, *, with_secret: bool, now: datetime, steps: Steps) -> Manifest:
    """Write a backup into a folder that is made, or is there and empty; a failure leaves it empty.

    :raises SafekeepingFailed: the folder holds something, or a part could not be read or written.
    """
    folder = folder.resolve()
    _require_place(folder)
    if with_secret and not secret_key().is_file():
        raise SafekeepingFailed(f"{secret_key()} is not there: the signing key comes from the environment.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        manifest = _write(folder, with_secret=with_secret, now=now, steps=steps)
    except OSError as error:
        _empty(folder)
        raise SafekeepingFailed(f"The backup could not be written: {error}") from error
    except BaseException:
        _empty(folder)
        raise
    return manifest


def _write(folder: Path, *, with_secret: bool, now: datetime, steps: Steps) -> Manifest:
    server = Server.configured()
    with archive_held_still(server):
        dumped = _dump(server, folder / DATABASE, steps)
        files = {f"{DATABASE}/{path.name}": checksum(path) for path in sorted((folder / DATABASE).iterdir())}
        for name, source in kept_folders().items():
            with steps.step(f"Copying {name}") as done:
                files |= _below(name, copy_folder(source, folder / name, on_file=done))
    require_archive(dumped.archived, files)
    if with_secret:
        files[SECRET] = copy_file(secret_key(), folder / SECRET)
    manifest = Manifest(
        portal_version=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        taken_at=now,
        database=server.database,
        server_version=dumped.server_version,
        inventory=dumped.inventory,
        files=files,
    )
    write_manifest(folder, manifest)
    return manifest


def _dump(server: Server, target: Path, steps: Steps) -> _Dumped:
    """Dump the database and count it in the same snapshot, which lives as long as the transaction here."""
    with server.connect() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        (snapshot,) = connection.execute(store.EXPORT_SNAPSHOT).fetchone() or ("",)
        with steps.step("Counting rows"):
            inventory = _require_portal(connection)
            archived = archived_parts(connection)
        program = find_program("pg_dump", server_major=connection.info.server_version // 10_000)
        with steps.step("Dumping tables", total=len(inventory.rows)) as done:
            run_program(
                [program, *server.arguments(server.database), "--format=directory", f"--file={target}",
                 f"--jobs={JOBS}", f"--snapshot={snapshot}", "--compress=3", "--lock-wait-timeout=60s"],
                environment=server.environment(),
                on_table=done,
            )  # fmt: skip
        return _Dumped(inventory, archived, connection.info.parameter_status("server_version") or "")


def _require_portal(connection: Connection) -> Inventory:
    (held,) = connection.execute(store.HELD_TABLES, [["django_migrations"]]).fetchone() or (None,)
    if not held:
        raise SafekeepingFailed("The database holds no portal yet: there is nothing to back up.")
    return take_inventory(connection)


def _require_place(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SafekeepingFailed(f"{folder} is not a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise SafekeepingFailed(f"{folder} is not empty: a backup takes a folder of its own.")
    for kept in kept_folders().values():
        if folder == kept or kept in folder.parents:
            raise SafekeepingFailed(f"{folder} lies in {kept}, which is itself backed up: choose another folder.")


def _below(name: str, kept: dict[str, KeptFile]) -> dict[str, KeptFile]:
    return {f"{name}/{path}": file for path, file in kept.items()}


def _empty(folder: Path) -> None:
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
