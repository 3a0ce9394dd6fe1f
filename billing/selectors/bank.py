"""Whom lines of bank files are for, which of them are known already, and how far an import is."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.models import CustomerAccount
from billing.models import BankImport, BankLine, Bill
from billing.selectors.balance import currencies_of

SETTLED = (BankLine.Status.BOOKED, BankLine.Status.WAITING, BankLine.Status.IGNORED)
_WORD = re.compile(r"[^\s,;:|()\[\]\"']+")
_BILL_NUMBER = re.compile(r"(?<!\d)(\d{6})[\s\-/._]?(\d{6})(?!\d)", re.ASCII)
_EDGES = "./-#+*"
_LETTERS_THEN_DIGITS = re.compile(r"([A-Za-z]+)(\d+)", re.ASCII)
_SHORTEST = 3
_MOST_WORDS = 80


@dataclass(frozen=True)
class Match:
    """Whom a line is for; without an account, the ``code`` and the sentence of why nobody can tell."""

    account: CustomerAccount | None = None
    bill: Bill | None = None
    code: str = ""
    problem: str = ""


@dataclass(frozen=True)
class LineCount:
    """How many lines of an import are in a state, for a reason."""

    status: str
    label: str
    code: str
    count: int


def possible_numbers(text: str) -> set[str]:
    """Return what may be the number of an account in what a payer wrote: words with a digit, and neighbours joined."""
    words = [stripped for word in _WORD.findall(text)[:_MOST_WORDS] if (stripped := word.strip(_EDGES))]
    found = set(words)
    for first, second in pairwise(words):
        found |= {f"{first}-{second}", f"{first}{second}", f"{first} {second}"}
    found |= {f"{match[1]}-{match[2]}" for word in words if (match := _LETTERS_THEN_DIGITS.fullmatch(word))}
    able = {word for word in found if len(word) >= _SHORTEST and any(letter.isdigit() for letter in word)}
    return able | {word.upper() for word in able}


def possible_bill_numbers(text: str) -> set[str]:
    """Return what may be the number of a bill, written with whatever between its halves."""
    return {f"{month}-{number}" for month, number in _BILL_NUMBER.findall(text)}


def match_lines(lines: Sequence[BankLine]) -> list[Match]:
    """Find whom each line is for by the numbers in its text, in a number of queries that is the same for any lines.

    A bill's number says more than an account's. What names two accounts is for nobody until somebody decides.
    """
    texts = [line.reference for line in lines]
    wanted_bills = [possible_bill_numbers(text) for text in texts]
    wanted_accounts = [possible_numbers(text) for text in texts]
    issued = Bill.objects.filter(number__in=set().union(*wanted_bills), kind=Bill.Kind.BILL)
    bills = {bill.number: bill for bill in issued.exclude(status=Bill.Status.DRAFT).select_related("account")}
    named = CustomerAccount.objects.filter(number__in=set().union(*wanted_accounts))
    accounts = {account.number: account for account in named}
    found = [
        _match([bills[each] for each in of_bills if each in bills], [accounts[n] for n in numbers if n in accounts])
        for of_bills, numbers in zip(wanted_bills, wanted_accounts, strict=True)
    ]
    known = {match.account.pk: match.account for match in found if match.account is not None}
    currencies = currencies_of(list(known.values())) if known else {}
    return [_in_currency(match, line.currency, currencies) for match, line in zip(found, lines, strict=True)]


def known_lines(fingerprints: Iterable[str]) -> dict[str, BankLine]:
    """Return the lines that were dealt with, with their imports, by their fingerprints."""
    settled = BankLine.objects.filter(fingerprint__in=set(fingerprints), status__in=SETTLED)
    return {line.fingerprint: line for line in settled.select_related("bank_import")}


def line_counts(bank_import_id: UUID) -> list[LineCount]:
    """Count an import's lines by what became of them."""
    rows = BankLine.objects.filter(bank_import=bank_import_id).order_by("status", "code")
    counted = rows.values_list("status", "code").annotate(count=Count("id"))
    return [LineCount(status, BankLine.Status(status).label, code, count) for status, code, count in counted]


def undecided(lines: QuerySet[BankLine]) -> QuerySet[BankLine]:
    """Keep the lines that a manager is to look at: of files that are booked, what matched nobody or was unreadable."""
    wanted = lines.filter(status__in=(BankLine.Status.WAITING, BankLine.Status.UNREADABLE))
    return wanted.exclude(bank_import__status=BankImport.Status.CHECKED)


def _match(bills: Sequence[Bill], accounts: Sequence[CustomerAccount]) -> Match:
    of_bills: dict[UUID, list[Bill]] = defaultdict(list)
    for bill in bills:
        of_bills[bill.account_id].append(bill)
    keys = set(of_bills) or {account.pk for account in accounts}
    if not keys:
        return Match(code="unmatched", problem="Its text names no account and no bill.")
    if len(keys) > 1:
        return Match(code="several_accounts", problem="Its text names more than one account.")
    (key,) = keys
    own = of_bills[key]
    if own:
        return Match(own[0].account, own[0] if len(own) == 1 else None)
    return Match(next(account for account in accounts if account.pk == key))


def _in_currency(match: Match, currency: str, currencies: dict[UUID, set[str]]) -> Match:
    if match.account is None:
        return match
    wanted = {match.bill.currency} if match.bill else currencies[match.account.pk]
    if currency in wanted:
        return match
    billed = " and ".join(sorted(wanted)) or "nothing yet"
    return Match(code="wrong_currency", problem=f"{match.account.number} is billed in {billed}, not in {currency}.")
