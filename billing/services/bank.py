"""Payments out of banks' files: looked at first, then booked by a worker; what nobody can match waits for a manager."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.actors import PORTAL, Actor
from accounts.services import audit
from billing import store
from billing.bankfiles import BankRow, NotABankFile, Options, read_bank_file
from billing.models import BankImport, BankLine, Payment
from billing.selectors.bank import Match, known_lines, match_lines
from billing.services.payments import Money, Payee, Told, find_payee, record_payment
from energy_portal.shared.errors import Conflict, DomainError, Invalid
from energy_portal.shared.jobs import enqueue_on_commit

CHUNK_LINES = 200
BOOK_TASK = "billing.tasks.book_bank_import"
_Import, _Line = BankImport.Status, BankLine.Status
_LONGEST_PROBLEM = 300
_JUDGED = ("status", "code", "problem", "fingerprint", "account", "bill", "payment")
_CONTRARY = "conflict:"
_CONFLICT = Match(code="conflict", problem="The bank's number of it stood for another day or amount before.")
_OPEN = frozenset({_Line.WAITING, _Line.IGNORED, _Line.UNREADABLE})


class BadBankFile(Invalid):
    """Nothing of a file can be read as a bank's."""

    code = "bad_bank_file"


class AlreadyBooked(Conflict):
    """The same file was booked before, or is being booked."""

    code = "already_booked"


class LineDecided(Conflict):
    """A line does not wait for a decision."""

    code = "line_decided"


@transaction.atomic
def check_file(*, content: bytes, name: str, options: Options, actor: Actor, now: datetime) -> BankImport:
    """Keep a bank's file line by line and say what booking it would do; nothing is booked yet.

    The same file is the same import: it is read anew, as it may be with other options, until it is booked.

    :raises BadBankFile: no header is found in it, it has no line, or too many.
    :raises AlreadyBooked: it was booked before, or is being booked.
    """
    try:
        rows = read_bank_file(content, options)
    except NotABankFile as error:
        raise BadBankFile(str(error)) from error
    if not 0 < len(rows) <= settings.BANK_FILE_LINES:
        raise BadBankFile(f"A file has between 1 and {settings.BANK_FILE_LINES} lines below its header.")
    found, made = BankImport.objects.select_for_update(of=("self",)).get_or_create(
        fingerprint=hashlib.sha256(content).hexdigest(),
        defaults={"file_name": name[:255], "uploaded_by": actor.user, "uploaded_at": now},
    )
    if found.status != _Import.CHECKED:
        raise AlreadyBooked(f"This file was loaded on {found.uploaded_at:%Y-%m-%d} as {found.file_name!r}.")
    found.options = _options_json(options)
    found.lines_total, found.lines_done = len(rows), 0
    found.save(update_fields=("options", "lines_total", "lines_done"))
    found.lines.all().delete()
    lines = [_line(found, row) for row in rows]
    readable = [line for line in lines if line.status == _Line.READ]
    seen: dict[str, BankLine] = {}
    for start in range(0, len(readable), CHUNK_LINES):
        _judge(readable[start : start + CHUNK_LINES], seen)
    BankLine.objects.bulk_create(lines, batch_size=1_000)
    audit.record(action="bank_import.checked", obj=found, actor=actor, now=now, lines=len(rows), again=not made)
    return found


@transaction.atomic
def request_booking(*, import_id: UUID, actor: Actor, now: datetime) -> BankImport:
    """Have a worker book a checked file once this commits; one that stands still is asked for again.

    :raises BankImport.DoesNotExist: there is no such import.
    """
    found: BankImport = BankImport.objects.select_for_update(of=("self",)).get(pk=import_id)
    if found.status == _Import.DONE:
        return found
    if found.status in {_Import.CHECKED, _Import.FAILED}:
        found.status, found.error = _Import.QUEUED, ""
        found.save(update_fields=("status", "error"))
        audit.record(action="bank_import.requested", obj=found, actor=actor, now=now)
    enqueue_on_commit(BOOK_TASK, import_id=found.pk)
    return found


def resume_imports() -> int:
    """Ask again for the imports that a worker is to book; one that somebody is at is not harmed by it.

    :returns: how many there are.
    """
    open_ids = BankImport.objects.filter(status__in=(_Import.QUEUED, _Import.RUNNING)).values_list("pk", flat=True)
    for import_id in open_ids:
        enqueue_on_commit(BOOK_TASK, import_id=import_id)
    return len(open_ids)


def book_import(*, import_id: UUID, now: datetime, chunk_lines: int = CHUNK_LINES) -> BankImport:
    """Book an import chunk by chunk, a transaction each; after a stop it continues with the lines that are left.

    Several processes may call this at once, for one import or for several with lines in common.

    :raises BankImport.DoesNotExist: there is no such import.
    """
    try:
        while _book_chunk(import_id, now, chunk_lines):
            pass
    except Exception as error:
        BankImport.objects.filter(pk=import_id).exclude(status=_Import.DONE).update(
            status=_Import.FAILED, error=f"{type(error).__name__}: {error}"
        )
        raise
    return BankImport.objects.get(pk=import_id)


@transaction.atomic
def assign_line(
    *, line_id: int, actor: Actor, now: datetime, account_number: str = "", bill_number: str = ""
) -> BankLine:
    """Book a line that waits, or was ignored, as a payment to an account.

    :raises BankLine.DoesNotExist: there is no such line.
    :raises LineDecided: it does not wait.
    :raises UnknownPayee: neither is named, one is not there, or the bill is another account's.
    :raises WrongCurrency: the account is in another currency.
    """
    line = _lock_open_line(line_id)
    payee = find_payee(account_number=account_number, bill_number=bill_number)
    line.account, line.bill = payee.account, payee.bill
    line.payment = record_payment(payee=payee, money=_money(line), told=_told(line), actor=actor, now=now).payment
    return _decide(line, _Line.BOOKED, actor, now)


@transaction.atomic
def ignore_line(*, line_id: int, note: str, actor: Actor, now: datetime) -> BankLine:
    """Say of a line that waits, or could not be read, that no payment is to be made of it.

    :raises BankLine.DoesNotExist: there is no such line.
    :raises LineDecided: it does not wait.
    """
    line = _lock_open_line(line_id)
    line.note = note
    return _decide(line, _Line.IGNORED, actor, now)


def _line(bank_import: BankImport, row: BankRow) -> BankLine:
    line = BankLine(
        bank_import=bank_import,
        line=row.line,
        raw=row.raw,
        code=row.code,
        problem=row.problem[:_LONGEST_PROBLEM],
        fingerprint=row.fingerprint,
        received_on=row.day,
        amount=row.amount,
        currency=row.currency if not row.code else "",
        reference=row.reference,
        payer=row.payer,
        bank_id=row.bank_id,
    )
    if row.code:
        line.status = _Line.UNREADABLE
    elif row.amount is not None and row.amount <= 0:
        line.status = _Line.OUTGOING
    return line


@transaction.atomic
def _book_chunk(import_id: UUID, now: datetime, size: int) -> bool:
    """Book the next lines of an import; tell whether there may be more."""
    found = BankImport.objects.select_for_update(of=("self",)).select_related("uploaded_by").get(pk=import_id)
    if found.status not in {_Import.QUEUED, _Import.RUNNING}:
        return False
    found.status = _Import.RUNNING
    # Whoever books another file with some of these lines waits, and then sees them.
    store.wait_for_booking()
    lines = list(found.lines.filter(status=_Line.READ).order_by("line")[:size])
    actor = Actor(user=found.uploaded_by) if found.uploaded_by else PORTAL
    for line in _judge(lines, {}):
        _book(line, actor, now)
    BankLine.objects.bulk_update(lines, _JUDGED)
    left = found.lines.filter(status=_Line.READ).count()
    found.lines_done = found.lines_total - left
    if not left:
        found.status, found.booked_at = _Import.DONE, now
    found.save(update_fields=("status", "booked_at", "lines_done"))
    return bool(left)


def _book(line: BankLine, actor: Actor, now: datetime) -> None:
    """Record the payment of a line that is for somebody; otherwise it waits."""
    line.status = _Line.WAITING
    if line.account is None:
        return
    payee = Payee(line.account, line.bill)
    try:
        recorded = record_payment(payee=payee, money=_money(line), told=_told(line), actor=actor, now=now)
    except DomainError as error:
        line.account = line.bill = None
        line.code, line.problem = error.code, error.detail[:_LONGEST_PROBLEM]
    else:
        line.payment, line.status = recorded.payment, _Line.BOOKED


def _judge(lines: Sequence[BankLine], seen: dict[str, BankLine]) -> list[BankLine]:
    """Say of lines that are to be booked whom they are for, or why nobody can tell; those known already are marked.

    :param seen: lines of the same file that come before, by their fingerprints; these are added.
    :returns: those that are not known already.
    """
    fingerprints = {fingerprint for line in lines for fingerprint in (line.fingerprint, _of_content(line))}
    known = {**known_lines(fingerprints), **seen}
    fresh = []
    for line, match in zip(lines, match_lines(lines), strict=True):
        same = known.get(line.fingerprint)
        contradicts = line.fingerprint.startswith(_CONTRARY) or (same is not None and not _says_the_same(same, line))
        if contradicts:
            line.fingerprint = _of_content(line)
            same = known.get(line.fingerprint)
        if same is not None:
            line.status, line.code = _Line.DUPLICATE, "duplicate"
            line.problem = f"Loaded before: {same.bank_import.file_name}, line {same.line}."[:_LONGEST_PROBLEM]
            continue
        found = _CONFLICT if contradicts else match
        line.account, line.bill, line.code, line.problem = found.account, found.bill, found.code, found.problem
        known[line.fingerprint] = seen[line.fingerprint] = line
        fresh.append(line)
    return fresh


def _says_the_same(one: BankLine, other: BankLine) -> bool:
    return (one.received_on, one.amount, one.currency) == (other.received_on, other.amount, other.currency)


def _of_content(line: BankLine) -> str:
    words = f"{line.bank_id}\x1f{line.received_on}\x1f{line.amount}\x1f{line.currency}"
    return f"{_CONTRARY}{hashlib.sha256(words.encode()).hexdigest()}"


def _money(line: BankLine) -> Money:
    if line.amount is None or line.received_on is None:
        raise LineDecided("The line could not be read: record its payment by hand.")
    return Money(line.amount, line.currency, line.received_on, line.reference)


def _told(line: BankLine) -> Told:
    return Told(Payment.Origin.BANK, line.fingerprint)


def _lock_open_line(line_id: int) -> BankLine:
    lines = BankLine.objects.select_for_update(of=("self",)).select_related("bank_import")
    line: BankLine = lines.get(pk=line_id)
    if line.bank_import.status == _Import.CHECKED:
        raise LineDecided("The file is not booked yet.")
    if line.status not in _OPEN:
        raise LineDecided(f"The line is {line.get_status_display()}.")
    return line


def _decide(line: BankLine, status: BankLine.Status, actor: Actor, now: datetime) -> BankLine:
    line.status, line.decided_by, line.decided_at = status, actor.user, now
    line.save(update_fields=("status", "account", "bill", "payment", "note", "decided_by", "decided_at"))
    audit.record(
        action=f"bank_line.{status}",
        obj=line,
        actor=actor,
        now=now,
        payment=str(line.payment_id or ""),
        note=line.note,
    )
    return line


def _options_json(options: Options) -> dict[str, object]:
    return {name: value for name, value in asdict(options).items() if value}
