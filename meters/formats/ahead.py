"""Records read ahead: the next ones are parsed while those before are written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread

from meters.formats.records import DialColumns, FileFault, FileReading

Record = FileReading | FileFault | DialColumns

_RECORDS_AT_ONCE = 1_000
_PIECES_AHEAD = 2


@dataclass(frozen=True)
class _End:
    """The end of the records, and what broke them off."""

    error: BaseException | None = None


@contextmanager
def read_ahead(records: Iterator[Record]) -> Iterator[Iterator[Record]]:
    """Have a thread read records a few pieces ahead; it has ended when the block has.

    What breaks the reading off is raised where the records that came before have been used up.
    """
    pieces: Queue[list[Record] | _End] = Queue(_PIECES_AHEAD)
    given_up = Event()
    thread = Thread(target=_read, args=(records, pieces, given_up), name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _records(pieces)
    finally:
        given_up.set()
        while thread.is_alive():
            # A full queue would hold the thread back for ever.
            if not pieces.empty():
                pieces.get()
            thread.join(timeout=0.01)


def _records(pieces: "Queue[list[Record] | _End]") -> Iterator[Record]:
    while not isinstance(piece := pieces.get(), _End):
        yield from piece
    if piece.error is not None:
        raise piece.error


def _read(records: Iterator[Record], pieces: "Queue[list[Record] | _End]", given_up: Event) -> None:
    piece: list[Record] = []
    end = _End()
    try:
        for record in records:
            piece.append(record)
            if isinstance(record, DialColumns) or len(piece) == _RECORDS_AT_ONCE:
                pieces.put(piece)
                piece = []
            if given_up.is_set():
                return
    except BaseException as error:  # noqa: BLE001 - it is raised again where the records are used
        end = _End(error)
    pieces.put(piece)
    pieces.put(end)
