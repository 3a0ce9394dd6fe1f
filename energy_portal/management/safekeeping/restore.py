"""Restore a backup: all of it beside what is there, checked, and only then in its place."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from energy_portal.management.safekeeping.backup import DATABASE, SECRET
from energy_portal.management.safekeeping.errors import SafekeepingFailed
from energy_portal.management.safekeeping.folders import (
    copy_file,
    copy_folder,
    holds_files,
    kept_folders,
    put_back,
    secret_key,
    set_aside,
)
from energy_portal.management.safekeeping.inventory import Inventory, is_empty, take_inventory
from energy_portal.management.safekeeping.manifest import Manifest, read_manifest, verify_files
from energy_portal.management.safekeeping.programs import JOBS, find_program, run_program
from energy_portal.management.safekeeping.server import Maintenance, Server
from energy_portal.management.safekeeping.steps import Steps

_RESTORING = "restoring"


@dataclass(frozen=True)
class Restored:
    """What a restore did; ``old_database`` and ``old_folders`` are where the old ones lie, if they were kept."""

    manifest: Manifest
    old_database: str | None
    old_folders: tuple[Path, ...]
    migrations_to_run: tuple[str, ...]


@dataclass(frozen=True)
class _Replaced:
    folder: Path
    aside: Path


def restore_backup(
    folder: Path, *, force: bool, drop_old: bool, with_secret: bool, now: datetime, steps: Steps
) -> Restored:
    """Put a backup in the place of the configured database and folders; a failure leaves these as they were.

    :param force: also over a database or folders that hold something; they are kept under another name.
    :param drop_old: do not keep them.
    :param with_secret: put back the signing key too.
    :raises SafekeepingFailed: the backup is not whole, something is in the way, or a part could not be restored.
    """
    folder = folder.resolve()
    manifest = checked_backup(folder, steps)
    if with_secret and SECRET not in manifest.files:
        raise SafekeepingFailed("The backup holds no signing key: it was taken without --with-secret.")
    to_run = _migrations_to_run(manifest)
    close_own_connections()
    server = Server.configured()
    held = _held(server, force=force)
    stamp = f"before_{now:%Y%m%d_%H%M%S}"
    old = server.beside(stamp)
    with server.maintained() as maintenance, ExitStack() as undo:
        maintenance.require_no_sessions()
        replaced = _fresh_folders(folder, stamp, undo, steps)
        with restored_beside(folder, manifest, server, maintenance, purpose=_RESTORING, steps=steps) as fresh:
            _require_same(server, fresh, manifest.inventory)
            for each in replaced:
                set_aside(each.folder, aside=each.aside, fresh=_fresh(each.folder))
                undo.callback(put_back, each.folder, aside=each.aside)
            maintenance.swap(fresh=fresh, aside=old)
            undo.pop_all()
        keep = (held and not drop_old) or not maintenance.drop_if_free(old)
    if with_secret:
        _restore_secret(folder)
    return Restored(
        manifest=manifest,
        old_database=old if keep else None,
        old_folders=_keep_or_remove([each.aside for each in replaced], keep=not drop_old),
        migrations_to_run=to_run,
    )


def checked_backup(folder: Path, steps: Steps) -> Manifest:
    """Read a backup's manifest and every file.

    :raises SafekeepingFailed: it is not whole.
    """
    manifest = read_manifest(folder)
    with steps.step("Verifying checksums", total=len(manifest.files)) as done:
        verify_files(folder, manifest, on_file=done)
    return manifest


@contextmanager
def restored_beside(
    folder: Path, manifest: Manifest, server: Server, maintenance: Maintenance, *, purpose: str, steps: Steps
) -> Iterator[str]:
    """Have a backup's database restored under another name within a block; then it is dropped.

    Its planner's statistics are not made.

    :raises SafekeepingFailed: the server or pg_restore refuses.
    """
    name = server.beside(purpose)
    program = find_program("pg_restore", server_major=maintenance.server_major())
    with maintenance.fresh_database(name):
        with steps.step("Restoring tables", total=len(manifest.inventory.rows)) as done:
            run_program(
                [program, *server.arguments(name), f"--jobs={JOBS}", "--no-owner", "--no-acl", "--exit-on-error",
                 folder / DATABASE],
                environment=server.environment(),
                on_table=done,
            )  # fmt: skip
        yield name


def close_own_connections() -> None:
    """Let go of the database, which cannot get another name while anybody is connected."""
    database = cast("DatabaseWrapper", connections["default"])
    database.close()
    database.close_pool()


def _require_same(server: Server, fresh: str, expected: Inventory) -> None:
    with server.connect(fresh) as connection:
        found = take_inventory(connection)
    if found != expected:
        wrong = [
            f"{table}: {expected.rows.get(table)} rows in the backup, {found.rows.get(table)} restored"
            for table in sorted(expected.rows.keys() | found.rows.keys())
            if expected.rows.get(table) != found.rows.get(table)
        ]
        raise SafekeepingFailed("What was restored differs from the manifest:\n" + "\n".join(wrong or ["its figures"]))
    with server.connect(fresh, autocommit=True) as connection:
        connection.execute("ANALYZE")


def _held(server: Server, *, force: bool) -> bool:
    """Tell whether the configured database holds anything, and refuse to replace what does unless forced."""
    with server.connect() as connection:
        held = not is_empty(connection)
    if held and not force:
        raise SafekeepingFailed(f"The database {server.database} is not empty; --force replaces it all the same.")
    for folder in kept_folders().values():
        if holds_files(folder) and not force:
            raise SafekeepingFailed(f"{folder} is not empty; --force replaces it all the same.")
    return held


def _migrations_to_run(manifest: Manifest) -> tuple[str, ...]:
    """Return the migrations of this portal that the backup lacks.

    :raises SafekeepingFailed: the backup has some that this portal does not know.
    """
    loader = MigrationLoader(None)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    squashed = {f"{app}.{name}" for migration in loader.disk_migrations.values() for app, name in migration.replaces}
    unknown = sorted(set(manifest.inventory.migrations) - known - squashed)
    if unknown:
        raise SafekeepingFailed(
            f"The backup is of a newer portal, {manifest.portal_version}; this one does not know {', '.join(unknown)}."
        )
    return tuple(sorted(known - set(manifest.inventory.migrations)))


def _fresh_folders(backup: Path, stamp: str, undo: ExitStack, steps: Steps) -> list[_Replaced]:
    """Copy the folders of files beside the portal's."""
    replaced = []
    for name, folder in kept_folders().items():
        fresh = _fresh(folder)
        shutil.rmtree(fresh, ignore_errors=True)
        undo.callback(shutil.rmtree, fresh, ignore_errors=True)
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with steps.step(f"Copying {name}") as done:
                copy_folder(backup / name, fresh, on_file=done)
        except OSError as error:
            raise SafekeepingFailed(f"The files for {folder} could not be written: {error}") from error
        if folder.is_dir():
            shutil.copymode(folder, fresh)
        replaced.append(_Replaced(folder, folder.with_name(f"{folder.name}-{stamp}")))
    return replaced


def _fresh(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-{_RESTORING}")


def _keep_or_remove(folders: list[Path], *, keep: bool) -> tuple[Path, ...]:
    kept = []
    for folder in folders:
        if keep and holds_files(folder):
            kept.append(folder)
        elif folder.exists():
            shutil.rmtree(folder)
    return tuple(kept)


def _restore_secret(folder: Path) -> None:
    unfinished = secret_key().with_name(f".{SECRET}-{_RESTORING}")
    unfinished.unlink(missing_ok=True)
    copy_file(folder / SECRET, unfinished)
    unfinished.replace(secret_key())
