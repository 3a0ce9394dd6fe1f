"""The files of an import: found, unpacked, told apart by their checksums, and staged to be aligned."""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from django.conf import settings

from energy_portal.shared.errors import Invalid
from meters.batteries.conventions import Terms
from meters.batteries.headings import FileLayout, UnreadableFile, read_layout
from meters.batteries.quantities import System
from meters.batteries.services.import_rows import Source
from meters.batteries.store.signal_files import BadLine, Fingerprint, SignalFiles, Staged, fingerprint, head_of

_KINDS = (".csv", ".csv.gz")
_HASHERS = 2
# What an archive may be blown up to: more than any upload of signals, less than a disk.
MOST_UNPACKED_BYTES = 8 << 30
_DAMAGED = (BadZipFile, EOFError, OSError, NotImplementedError)


class NoFiles(Invalid):
    """None of the files holds a signal of a battery."""

    code = "no_files"


@dataclass(frozen=True, slots=True)
class Given:
    """A file as it came.

    :ivar name: as its sender calls it, and without a folder.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Identified:
    """A file, what it holds, and what tells it from others."""

    given: Given
    layout: FileLayout
    print: Fingerprint


@dataclass(frozen=True, slots=True)
class Taken:
    """A file once it is staged.

    :ivar bad: how many lines are no rows; ``bad_lines`` are the first of them.
    """

    file: Identified
    staged: Staged
    bad: int
    bad_lines: tuple[BadLine, ...]

    def source(self, system: System) -> Source | None:
        """Return what it holds of a system, None for nothing."""
        names = tuple(column.name for column in self.file.layout.columns if column.system is system)
        return Source(self.staged, names) if names and self.staged.rows else None


def found(paths: Sequence[Path], names: Mapping[Path, str], *, folder: Path) -> list[Given]:
    """Return the CSV files at some paths, in folders and in ZIP archives, ordered by name within each path.

    :param names: what senders call files, where it is not as they are called here.
    :param folder: archives are unpacked there.
    :raises UnreadableFile: an archive is damaged, or holds too much; or there is no such file.
    """
    given: list[Given] = []
    for number, path in enumerate(paths):
        name = names.get(path, path.name)
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.name.lower().endswith(_KINDS))
            given += [Given(each, each.name) for each in inside]
        elif not path.is_file():
            raise UnreadableFile(f"There is no file {name}.")
        elif name.lower().endswith(".zip"):
            given += _unpacked(path, name, folder)
        elif name.lower().endswith(".gz") and path.suffix != ".gz":
            # That a file is packed is told by its name, which is not what an upload is called here.
            (link := folder / f"upload{number}.csv.gz").symlink_to(path.resolve())
            given.append(Given(link, name))
        else:
            given.append(Given(path, name))
    return given


def _unpacked(path: Path, archive_name: str, folder: Path) -> Iterator[Given]:
    room = MOST_UNPACKED_BYTES
    try:
        with ZipFile(path) as archive:
            inside = [each for each in archive.infolist() if each.filename.lower().endswith(_KINDS)]
            for number, member in enumerate(sorted(inside, key=lambda each: each.filename)):
                name = member.filename.rpartition("/")[2]
                room -= member.file_size
                if room < 0:
                    raise UnreadableFile(f"Too much is packed in {archive_name}.", code="file_too_large")
                target = folder / f"{number}{'.csv.gz' if name.lower().endswith('.gz') else '.csv'}"
                with archive.open(member) as packed, target.open("wb") as file:
                    # No member yields more than the size that it states.
                    shutil.copyfileobj(packed, file)
                yield Given(target, name)
    except _DAMAGED as error:
        raise UnreadableFile(f"{archive_name} cannot be unpacked: {error}.", code="damaged_file") from error


def identified(
    given: Sequence[Given], *, terms: Terms, systems: Collection[System]
) -> tuple[list[Identified], dict[str, str]]:
    """Tell what each file holds; return those that hold a signal, and why the others or columns of theirs are left out.

    :raises UnreadableFile: a file is damaged, or no table.
    :raises UnknownUnit: a heading names a unit that cannot be converted.
    :raises NoFiles: none holds a signal.
    """
    held: list[tuple[Given, FileLayout]] = []
    left_out: dict[str, str] = {}
    for each in given:
        try:
            layout = read_layout(each.name, head_of(each.path), terms=terms, systems=systems)
        except _DAMAGED as error:
            raise UnreadableFile(f"{each.name} cannot be read: {error}.", code="damaged_file") from error
        if layout.unknown:
            left_out[each.name] = f"no signal: {', '.join(layout.unknown)}"
        if layout.columns:
            held.append((each, layout))
    if not held:
        names = ", ".join(each.name for each in given) or "nothing"
        raise NoFiles(f"No signal was found in {names}.", extra={"left_out": left_out})
    with ThreadPoolExecutor(_HASHERS) as hashers:
        prints = list(hashers.map(lambda pair: fingerprint(pair[0].path), held))
    return [Identified(each, layout, told) for (each, layout), told in zip(held, prints, strict=True)], left_out


def staged(
    files: SignalFiles,
    wanted: Sequence[Identified],
    *,
    terms: Terms,
    folder: Path,
    progress: Callable[[int], None],
) -> Iterator[Taken]:
    """Stage files one after the other; one that a broken-off run staged is taken as it is.

    :param progress: called with the number of bytes that were read, after each file.
    """
    done = 0
    for file in wanted:
        staged_file = files.stage(file.given.path, file.layout, terms, folder / f"{_digest(file, terms)}.parquet")
        bad, lines = 0, list[BadLine]()
        if file.print.lines - file.layout.has_header > staged_file.rows:
            bad, lines = files.bad_lines(file.given.path, file.layout, terms)
        yield Taken(file, staged_file, bad, tuple(lines))
        done += file.print.size
        progress(done)


def _digest(file: Identified, terms: Terms) -> str:
    told = (file.print.sha256, file.layout, terms.zone.key, terms.clock_offset_us)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def work_folder(battery_pk: int) -> Path:
    """Return where a battery's imports work, below the upload folder."""
    return Path(settings.UPLOAD_DIR) / "batteries" / str(battery_pk)
