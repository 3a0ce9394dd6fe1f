"""Mappings of accounts to meters out of files: rehearsed first, then carried out line by line."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services.customers import create_account, create_premises
from energy_portal.shared.clock import local_day, zone
from energy_portal.shared.errors import Conflict, DomainError, Invalid, NotFound
from meters.formats.bindings import BindingLine, read_bindings
from meters.formats.records import FileFault
from meters.models import Binding, Installation, Job, Meter
from meters.services.chain import PlaceTaken, move_in
from meters.services.imports import LineProblem
from meters.services.jobs import Running, queue_job
from meters.services.registration import MeterBound, beginning_of, hang_up, let_in, used_before_by
from meters.services.uploads import keep_upload, path_of

MOST_PROBLEMS = 10_000
_MOST_PROBLEMS_TOLD = 1_000
_DATE_LENGTH = 10


class UnknownAccount(NotFound):
    """A line names an account that is not there, and no owner to open it for."""

    code = "unknown_account"


class UnknownMeter(NotFound):
    """A line names a meter that is not there."""

    code = "unknown_meter"


class BadDate(Invalid):
    """A line's dates are none, or end before they begin."""

    code = "bad_date"


class NotHanging(Conflict):
    """A meter was taken down, and hangs nowhere in the time that a line names."""

    code = "not_installed"


class OtherPeriod(Conflict):
    """The account is supplied there already, from or until another instant."""

    code = "other_period"


@dataclass(frozen=True)
class BindingsReport:
    """What became of a mapping, or would in a dry run. Counts are of lines; problems are in the file's order."""

    dry_run: bool
    lines: int
    bound: int
    unchanged: int
    accounts_created: int
    problems_by_code: dict[str, int]
    problems: tuple[LineProblem, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether no line was bad."""
        return not self.problems_by_code


def import_bindings(
    *,
    records: Iterable[BindingLine | FileFault],
    actor: Actor,
    now: datetime,
    dry_run: bool = True,
    progress: Callable[[], None] = lambda: None,
) -> BindingsReport:
    """Bind accounts to the places of their meters, a transaction a line; the same mapping again changes nothing.

    An account that is not there is opened where its line, or an earlier one, names its owner. A meter that never hung
    anywhere gets a place of its own. Without a start a line counts as a registration does.

    :param dry_run: carry out each line and take it back, so that nothing is written.
    :param progress: called after each line.
    """
    run = _Run(actor, now, dry_run)
    for record in records:
        if isinstance(record, FileFault):
            run.note(record.line, record.code, record.detail)
        else:
            run.take(record)
        progress()
    return run.report()


def queue_bindings_import(*, chunks: Iterable[bytes], name: str, dry_run: bool, actor: Actor, now: datetime) -> Job:
    """Keep a mapping and ask for a worker to rehearse it or to carry it out.

    :param name: as the sender calls it.
    :raises FileTooLarge: it holds more than ``MAX_FILE_SIZE``.
    """
    upload = keep_upload(chunks=chunks)
    return queue_job(
        kind=Job.Kind.IMPORT_BINDINGS,
        parameters={"dry_run": dry_run},
        actor=actor,
        now=now,
        upload=upload,
        upload_name=name,
    )


def run_bindings_import(running: Running) -> dict[str, Any]:
    """Work an uploaded mapping off; run again after a crash it does what is still missing."""
    path = path_of(running.job.upload)
    with path.open("rb") as file:
        running.note(0, path.stat().st_size, at_once=True)
        report = import_bindings_file(
            file=file,
            actor=running.actor,
            now=running.now,
            dry_run=running.job.parameters["dry_run"],
            progress=running.note,
        )
        running.note(path.stat().st_size, at_once=True)
    told = asdict(report)
    listed = told["problems"][:_MOST_PROBLEMS_TOLD]
    return {**told, "problems": listed, "problems_not_listed": len(told["problems"]) - len(listed)}


def import_bindings_file(
    *,
    file: BinaryIO,
    actor: Actor,
    now: datetime,
    dry_run: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> BindingsReport:
    """Take a table of bindings in; see :func:`import_bindings`.

    :param progress: called with the bytes that were read, after each line.
    """
    with closing(read_bindings(file)) as records:
        return import_bindings(
            records=records, actor=actor, now=now, dry_run=dry_run, progress=lambda: progress(file.tell())
        )


class _Claim(NamedTuple):
    """The time for which a line wants a place, and whether it was the account's already."""

    line: int
    account: str
    place_id: Any
    valid: DateTimeTZRange
    is_new: bool


@dataclass
class _Run:
    """The sums of one import."""

    actor: Actor
    now: datetime
    dry_run: bool
    counts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    problems: list[LineProblem] = field(default_factory=list)
    seen: dict[tuple[str, ...], int] = field(default_factory=dict)
    owners: dict[str, BindingLine] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    claims: dict[str, list[_Claim]] = field(default_factory=lambda: defaultdict(list))

    def take(self, line: BindingLine) -> None:
        """Carry a line out, and take it back in a dry run."""
        self.counts["lines"] += 1
        if line.owner_name:
            self.owners.setdefault(line.account, line)
        key = (line.account, line.meter, line.start, line.end)
        first = self.seen.setdefault(key, line.line)
        if first != line.line:
            self.note(line.line, "duplicate_line", f"Line {first} says the same.")
            return
        try:
            with transaction.atomic():
                account, is_opened = self._account(line)
                claim = _bind(line, account, self.actor, self.now)
                self._check_claims(line.meter, claim)
                if self.dry_run:
                    transaction.set_rollback(True)
        except DomainError as error:
            self.note(line.line, error.code, error.detail)
            return
        self.claims[line.meter].append(claim)
        self.opened.update([line.account] if is_opened else [])
        self.counts["bound" if claim.is_new else "unchanged"] += 1

    def note(self, line: int, code: str, detail: str) -> None:
        """Note why a line is not carried out."""
        self.codes[code] += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(LineProblem(line, code, detail))

    def report(self) -> BindingsReport:
        """Return the sums."""
        return BindingsReport(
            dry_run=self.dry_run,
            lines=self.counts["lines"],
            bound=self.counts["bound"],
            unchanged=self.counts["unchanged"],
            accounts_created=len(self.opened),
            problems_by_code=dict(sorted(self.codes.items())),
            problems=tuple(sorted(self.problems, key=lambda each: each.line)),
        )

    def _account(self, line: BindingLine) -> tuple[CustomerAccount, bool]:
        """Return a line's account and whether it was opened for it."""
        account = CustomerAccount.objects.filter(number=line.account).first()
        if account is not None:
            return account, False
        told = self.owners.get(line.account)
        if told is None:
            raise UnknownAccount(f"There is no account {line.account!r}, and no owner to open it for.")
        opened = create_account(
            number=line.account,
            owner_name=told.owner_name,
            email=told.email,
            address=told.address,
            zone=told.zone,
            actor=self.actor,
            now=self.now,
        )
        return opened, True

    def _check_claims(self, serial: str, claim: _Claim) -> None:
        """Refuse what an earlier line took; in a dry run the database does not know of it."""
        for earlier in self.claims[serial]:
            if claim.is_new and earlier.place_id in {claim.place_id, None} and _overlap(earlier.valid, claim.valid):
                error = OtherPeriod if earlier.account == claim.account else MeterBound
                raise error(f"Line {earlier.line} binds the meter {serial} to {earlier.account} at that time.")


def _bind(line: BindingLine, account: CustomerAccount, actor: Actor, now: datetime) -> _Claim:
    """Carry a line out.

    :raises DomainError: it cannot be.
    """
    clock = zone(line.zone or account.zone)
    start, end = _instant(line.start, clock), _instant(line.end, clock)
    meter = Meter.objects.select_for_update().filter(serial=line.meter).first()
    if meter is None:
        raise UnknownMeter(f"No meter has the serial {line.meter!r}.")
    let_in(meter=meter, actor=actor)
    installation, is_new_place = _installation(meter, line, account, start, actor, now)
    since = start or (now if meter.pk in used_before_by([meter]) else beginning_of(account, now))
    since = max(since, installation.valid.lower or since)
    if end is not None and end <= since:
        raise BadDate(f"{line.end} is not after {since.isoformat()}.")
    place, valid = installation.service_point, DateTimeTZRange(since, end, "[)")
    standing = Binding.objects.filter(service_point=place, account=account, valid__overlap=valid).first()
    place_id = None if is_new_place else place.pk
    if standing is not None:
        if standing.valid.upper != end or (start is not None and standing.valid.lower != since):
            raise OtherPeriod(f"{account.number} is supplied there in {standing.valid}.")
        return _Claim(line.line, account.number, place_id, standing.valid, is_new=False)
    try:
        move_in(account=account, service_point=place, at=since, until=end, actor=actor, now=now)
    except PlaceTaken as error:
        raise MeterBound(f"The meter {meter.serial} supplies another account at that time.") from error
    return _Claim(line.line, account.number, place_id, valid, is_new=True)


def _installation(
    meter: Meter, line: BindingLine, account: CustomerAccount, start: datetime | None, actor: Actor, now: datetime
) -> tuple[Installation, bool]:
    """Return where a meter hung from an instant on, or hangs; one that never hung anywhere gets a place of its own."""
    stays = list(Installation.objects.select_related("service_point").filter(meter=meter).order_by("valid"))
    if not stays:
        address = line.address or account.address or account.owner_name
        premises = create_premises(address=address, zone=line.zone or account.zone, actor=actor, now=now)
        beginning = beginning_of(account, now)
        since = min(start or beginning, beginning)
        return hang_up(meter=meter, premises=premises, since=since, actor=actor, now=now), True
    earliest = start or now
    for stay in stays:
        if stay.valid.upper is None or earliest < stay.valid.upper:
            return stay, False
    raise NotHanging(f"The meter {meter.serial} hangs nowhere since {stays[-1].valid.upper.isoformat()}.")


def _instant(text: str, clock: ZoneInfo) -> datetime | None:
    """Return the instant that a cell names, a day's local start where it names a day; None for an empty cell."""
    if not text:
        return None
    try:
        if len(text) == _DATE_LENGTH:
            return local_day(date.fromisoformat(text), clock).start
        instant = datetime.fromisoformat(text)
        return instant if instant.tzinfo else instant.replace(tzinfo=clock)
    except (ValueError, OverflowError) as error:
        raise BadDate(f"{text[:40]!r} is not a date as in 2025-02-28.") from error


def _overlap(one: DateTimeTZRange, other: DateTimeTZRange) -> bool:
    return (one.upper is None or other.lower is None or other.lower < one.upper) and (
        other.upper is None or one.lower is None or one.lower < other.upper
    )
