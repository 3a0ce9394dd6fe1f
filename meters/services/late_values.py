"""Values for months that lie in the archive: what stands there already is known again, the rest waits."""

from collections.abc import Iterable, Sequence

from meters.consumption import ESTIMATES
from meters.models import Severity
from meters.selectors.archive import ARCHIVED, ArchivedMonths, archived_months, archived_values
from meters.services.judging import Outcome, Verdict
from meters.services.registry import Catch
from meters.services.screening import Candidate
from meters.store.archive import with_files
from meters.validation import plain

_NOT_TAKEN = "estimate_not_taken"


def part_late(candidates: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], list[Verdict]]:
    """Part the rows that can enter from those for archived months, and judge the latter.

    A value that stands in the archive is a duplicate; another one waits until the archive takes it in. One short
    query, and some milliseconds for each archived month that rows are offered for.
    """
    return with_files(lambda: _parted(candidates, archived_months()))


def _parted(candidates: Sequence[Candidate], archived: ArchivedMonths) -> tuple[tuple[Candidate, ...], list[Verdict]]:
    late = [row for row in candidates if row.time in archived] if archived else []
    if not late:
        return tuple(candidates), []
    return tuple(row for row in candidates if row.time not in archived), list(_judged(late, archived))


def _judged(late: Sequence[Candidate], archived: ArchivedMonths) -> Iterable[Verdict]:
    standing = archived_values([(row.register_id, row.time) for row in late], archived)
    for row in late:
        value, quality = standing.get((row.register_id, row.time), (None, None))
        holds_true = quality is not None and quality not in ESTIMATES
        if value == row.value and (holds_true or row.quality in ESTIMATES):
            yield Verdict(row, Outcome.DUPLICATE)
        elif holds_true and row.quality in ESTIMATES:
            detail = f"A true value stands at {row.time.isoformat()}."
            yield Verdict(row, Outcome.REJECTED, (Catch(_NOT_TAKEN, Severity.REJECT, detail),))
        else:
            stands = "" if value is None else f", where {plain(value)} stands"
            detail = f"{row.time:%Y-%m} lies in the archive{stands}: the value waits for the archive's next run."
            yield Verdict(row, Outcome.QUARANTINED, (Catch(ARCHIVED, Severity.QUARANTINE, detail),))
