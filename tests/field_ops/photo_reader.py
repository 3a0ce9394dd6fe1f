"""A program that reads photos, each behind its length, and says how many it took and by how many MiB it grew."""

import re
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from field_ops.photos import PhotoRefused, read_photo
from tests.field_ops.photo_files import jpeg


def main() -> None:
    _taken(jpeg())
    before = _peak_mebibytes()
    taken = 0
    while length := sys.stdin.buffer.read(4):
        taken += _taken(sys.stdin.buffer.read(int.from_bytes(length, "big")))
    print(taken, _peak_mebibytes() - before)


def _taken(data: bytes) -> bool:
    try:
        read_photo(data, largest_bytes=10 * 2**20, zone=ZoneInfo("UTC"))
    except PhotoRefused:
        return False
    return True


def _peak_mebibytes() -> float:
    """Return the most that this program has held; what ``getrusage`` says begins with its parent's."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


if __name__ == "__main__":
    main()
