"""Files of batteries as people and machines hand them in, and the job that takes them in."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from django.db import transaction

from accounts.actors import Actor
from meters.batteries.conventions import Terms
from meters.batteries.models import Battery, Convention
from meters.batteries.services.import_report import ImportReport
from meters.batteries.services.imports import BadImportOption, ImportOptions, import_battery
from meters.batteries.services.registry import RetiredBattery
from meters.models import Job
from meters.services.jobs import Running, queue_job
from meters.services.uploads import keep_upload, path_of

_SEVERAL = "{} files.zip"

Upload = tuple[str, Iterable[bytes]]


def queue_battery_import(
    *, battery: Battery, uploads: Sequence[Upload], options: ImportOptions, actor: Actor, now: datetime
) -> Job:
    """Keep files of a battery's signals and ask for a worker to take them in.

    :param uploads: CSV files, packed ones, or ZIP archives: each its name as the sender calls it, and its pieces.
    :raises Invalid: options that make no sense.
    :raises RetiredBattery: the battery tells nothing any more.
    :raises FileTooLarge: they hold more than ``MAX_FILE_SIZE``.
    """
    options.check()
    if not uploads:
        raise BadImportOption("There is no file.")
    if battery.status == Battery.Status.RETIRED:
        raise RetiredBattery(f"{battery.battery_id} is retired.")
    if options.convention:
        Terms.of(Convention.objects.get(name=options.convention))
    name, chunks = uploads[0] if len(uploads) == 1 else (_SEVERAL.format(len(uploads)), _packed(uploads))
    upload = keep_upload(chunks=chunks)
    with transaction.atomic():
        return queue_job(
            kind=Job.Kind.IMPORT_BATTERY,
            parameters={"battery_id": battery.battery_id, **asdict(options)},
            actor=actor,
            now=now,
            upload=upload,
            upload_name=name[-255:],
        )


def run_battery_import(running: Running) -> dict[str, Any]:
    """Take uploaded files in; run again after a crash it goes on where it was."""
    told = dict(running.job.parameters)
    path = path_of(running.job.upload)
    report = import_battery(
        battery_id=told.pop("battery_id"),
        paths=[path],
        names={path: running.job.upload_name},
        options=ImportOptions(**told),
        actor=running.actor,
        now=running.now,
        progress=lambda _, done, total: running.note(done, total),
    )
    size = path.stat().st_size
    running.note(size, size, at_once=True)
    return told_of(report)


def told_of(report: ImportReport) -> dict[str, Any]:
    """Return a report as a job keeps it: figures, and tables of problems, signals and files."""
    systems = report.systems
    problems = [
        {"file": file["name"], "line": bad["line"], "detail": bad["reason"]}
        for file in report.files
        for bad in file["bad"]
    ]
    problems += [{"file": name, "line": 0, "detail": reason} for name, reason in report.left_out.items()]
    return {
        "lines": sum(file["lines"] for file in report.files),
        "bad_lines": sum(file["bad_lines"] for file in report.files),
        "aligned": sum(system.aligned for system in systems.values()),
        "stored": sum(system.stored for system in systems.values()),
        "duplicates": sum(system.duplicates for system in systems.values()),
        "conflicts": sum(system.conflicts for system in systems.values()),
        "problems": problems,
        "systems": {name: system.as_dict() for name, system in systems.items()},
        "files": [{name: value for name, value in file.items() if name != "bad"} for file in report.files],
    }


class _Pieces(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._held += piece
        return len(piece)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


def _packed(uploads: Sequence[Upload]) -> Iterator[bytes]:
    """Yield one archive of several files, piece by piece."""
    pieces = _Pieces()
    with ZipFile(pieces, "w", ZIP_STORED) as archive:
        for place, (name, chunks) in enumerate(uploads):
            with archive.open(f"{place:03}/{name.replace('/', '_')}", "w") as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield pieces.take()
    yield pieces.take()
