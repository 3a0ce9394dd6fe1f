"""A version's components as the fields of a form: text that a person writes, and back into data, problems in place."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing.models import TariffComponent
from billing.rating.terms import HOURS, MONTHS, Kind
from billing.services.versions import NewComponent
from energy_portal.shared.errors import ItemError

SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_COMPONENTS = 20
_TABLED = frozenset({Kind.ENERGY, Kind.EXPORT, Kind.DEMAND})
_NAMES = {
    Kind.ENERGY: "Electricity",
    Kind.EXPORT: "Exported energy",
    Kind.DEMAND: "Demand",
    Kind.FIXED: "Fixed charge",
    Kind.MINIMUM: "Minimum charge",
}
_TIER = re.compile(r"\s*(?P<rate>\S+?)\s*(?:(?:up\s+to|to|until)\s+(?P<up_to>\S+))?\s*", re.IGNORECASE)
_PERIOD_PATH = re.compile(r"terms\.periods\[(\d+)\](?:\.(name|tiers))?")
_ACT = re.compile(r"(remove|period|unperiod)-(\d{1,2})(?:-(\d{1,2}))?")


@dataclass
class PeriodFields:
    """A rate period: its name and its tiers as "0.10 to 200; 0.20"."""

    name: str = ""
    tiers: str = ""
    problems: list[str] = field(default_factory=list)


@dataclass
class ComponentFields:
    """One component; ``weekday`` and ``weekend`` are 12 lines of 24 symbols, one an hour."""

    kind: str
    name: str = ""
    amount: str = ""
    per: str = "month"
    tiers_per: str = "month"
    periods: list[PeriodFields] = field(default_factory=list)
    weekday: str = ""
    weekend: str = ""
    problems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_tabled(self) -> bool:
        """Whether it has periods."""
        return self.kind in _TABLED

    @property
    def kind_words(self) -> str:
        """What it charges, for a heading."""
        return str(TariffComponent.Kind(self.kind).label).capitalize()

    @property
    def unit(self) -> str:
        """What its rates are a price of."""
        return "kW" if self.kind == Kind.DEMAND else "kWh"

    @property
    def symbols(self) -> list[tuple[str, PeriodFields]]:
        """Each period beside the symbol that stands for it in the tables."""
        return list(zip(SYMBOLS, self.periods, strict=False))


def fields_of(components: Iterable[TariffComponent]) -> list[ComponentFields]:
    """Write stored components into fields."""
    return [_fields_of(item.kind, item.name, item.terms) for item in components]


def new_fields(kind: str) -> ComponentFields:
    """Return the fields of a component that somebody adds."""
    periods = [PeriodFields()] if kind in _TABLED else []
    return ComponentFields(kind=kind, name=_NAMES[Kind(kind)], periods=periods)


def fields_of_post(data: Mapping[str, str]) -> list[ComponentFields]:
    """Read the fields that a form sent; what no form sends is left out."""
    found = []
    for index in range(MOST_COMPONENTS):
        kind = data.get(f"c{index}-kind", "")
        if kind not in set(Kind):
            break
        component = ComponentFields(
            kind=kind,
            name=data.get(f"c{index}-name", ""),
            amount=data.get(f"c{index}-amount", ""),
            per=data.get(f"c{index}-per") or "month",
            tiers_per=data.get(f"c{index}-tiers_per") or "month",
            weekday=data.get(f"c{index}-weekday", ""),
            weekend=data.get(f"c{index}-weekend", ""),
        )
        for place in range(len(SYMBOLS)):
            if (tiers := data.get(f"c{index}-p{place}-tiers")) is None:
                break
            component.periods.append(PeriodFields(data.get(f"c{index}-p{place}-name", ""), tiers))
        found.append(component)
    return found


def after_act(components: list[ComponentFields], act: str) -> list[ComponentFields]:
    """Return the fields after a button that adds or removes some was pressed; ``add-fixed`` or ``remove-0``."""
    kind = act.removeprefix("add-")
    if kind != act and kind in set(Kind) and len(components) < MOST_COMPONENTS:
        return [*components, new_fields(kind)]
    found = _ACT.fullmatch(act)
    if found is None or int(found[2]) >= len(components):
        return components
    index = int(found[2])
    if found[1] == "remove":
        return components[:index] + components[index + 1 :]
    component = components[index]
    if found[1] == "period" and len(component.periods) < len(SYMBOLS):
        component.periods.append(PeriodFields())
        _fill_tables(component)
    elif found[1] == "unperiod" and found[3] and 0 < int(found[3]) < len(component.periods):
        _without_period(component, int(found[3]))
    return components


def components_of(components: Sequence[ComponentFields]) -> list[NewComponent]:
    """Turn fields into components; what is wrong with their data is found where they are stored or rated."""
    return [NewComponent(item.kind, item.name, _terms_of(item)) for item in components]


def put_problems(components: Sequence[ComponentFields], errors: Iterable[ItemError]) -> list[str]:
    """Put each problem to the field that it is of; return those of the whole."""
    of_whole = []
    for error in errors:
        if error.index is None or error.index >= len(components):
            of_whole.append(error.detail)
            continue
        component, path = components[error.index], error.field or ""
        found = _PERIOD_PATH.match(path)
        if found and int(found[1]) < len(component.periods):
            component.periods[int(found[1])].problems.append(_place(path, found.end()) + error.detail)
            continue
        name = path.removeprefix("terms.").split("[")[0] or "name"
        month = path.partition("[")[2].rstrip("]")
        place = f"Line {int(month) + 1}: " if month.isdecimal() else ""
        component.problems.setdefault(name, []).append(place + error.detail)
    return of_whole


def _place(path: str, end: int) -> str:
    """Say which tier a path is of, such as "Tier 2: "."""
    tier = re.match(r"\[(\d+)\]", path[end:])
    return f"Tier {int(tier[1]) + 1}: " if tier else ""


def _fields_of(kind: str, name: str, terms: Mapping[str, Any]) -> ComponentFields:
    component = ComponentFields(kind=kind, name=name)
    component.amount, component.per = str(terms.get("amount", "")), str(terms.get("per", "month"))
    component.tiers_per = str(terms.get("tiers_per", "month"))
    for period in terms.get("periods", ()):
        tiers = "; ".join(_tier_text(tier) for tier in period.get("tiers", ()))
        component.periods.append(PeriodFields(str(period.get("name", "")), tiers))
    for table in ("weekday", "weekend"):
        rows = terms.get(table) or ()
        setattr(component, table, "\n".join("".join(SYMBOLS[period] for period in row) for row in rows))
    return component


def _tier_text(tier: Mapping[str, Any]) -> str:
    return f"{tier['rate']}" if tier.get("up_to") is None else f"{tier['rate']} to {tier['up_to']}"


def _terms_of(component: ComponentFields) -> dict[str, Any]:
    if not component.is_tabled:
        return {"amount": component.amount.strip(), "per": component.per}
    terms: dict[str, Any] = {
        "periods": [{"name": item.name.strip(), "tiers": _tiers_of(item.tiers)} for item in component.periods]
    }
    if len(component.periods) > 1:
        terms |= {table: _rows_of(getattr(component, table)) for table in ("weekday", "weekend")}
    if component.kind != Kind.DEMAND and component.tiers_per != "month":
        terms["tiers_per"] = component.tiers_per
    return terms


def _tiers_of(text: str) -> list[dict[str, str | None]]:
    tiers = []
    for part in text.split(";"):
        found = _TIER.fullmatch(part)
        tiers.append({"up_to": found["up_to"], "rate": found["rate"]} if found else {"up_to": None, "rate": part})
    return tiers


def _rows_of(text: str) -> list[list[Any]]:
    """Return the numbers that rows of symbols stand for; a symbol that is none stays itself, to be refused."""
    return [
        [SYMBOLS.find(symbol) if symbol in SYMBOLS else symbol for symbol in row.strip().upper()]
        for row in text.strip().splitlines()
    ]


def _fill_tables(component: ComponentFields) -> None:
    """Give tables that are still empty the first period in every hour."""
    for table in ("weekday", "weekend"):
        if not getattr(component, table).strip():
            setattr(component, table, "\n".join([SYMBOLS[0] * HOURS] * MONTHS))


def _without_period(component: ComponentFields, gone: int) -> None:
    """Remove a period; its hours go to the first one, and the later ones move up."""
    del component.periods[gone]
    moved = {symbol: SYMBOLS[place - 1] if place > gone else symbol for place, symbol in enumerate(SYMBOLS)}
    moved[SYMBOLS[gone]] = SYMBOLS[0]
    for table in ("weekday", "weekend"):
        setattr(component, table, "".join(moved.get(symbol, symbol) for symbol in getattr(component, table).upper()))
