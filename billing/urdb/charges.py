"""What a rate charges: its members as components, and a remark on everything that is not charged as it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.rating.terms import (
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    Kind,
    MinimumTerms,
    Per,
    Terms,
)
from billing.urdb.remarks import Remarks
from billing.urdb.structures import Structure, number, period_names, read_months, read_prices, read_tables

_ENERGY_TABLES = ("energyweekdayschedule", "energyweekendschedule")
_DEMAND_TABLES = ("demandweekdayschedule", "demandweekendschedule")
_TIERS_PER = {"": Per.MONTH, "kWh": Per.MONTH, "kWh daily": Per.DAY}
_PER = {"$/month": Per.MONTH, "$/day": Per.DAY}
_HALF_HOUR_MINUTES = 30


@dataclass(frozen=True)
class Charge:
    """One thing that is charged, or credited, as a component of a version will say it."""

    kind: Kind
    name: str
    terms: Terms


def read_charges(rate: Mapping[str, Any], remarks: Remarks) -> tuple[Charge, ...]:
    """Read everything that a rate charges for."""
    charges = [
        *_energy(rate, remarks),
        *_flat_demand(rate, remarks),
        *_demand_by_time(rate, remarks),
        *_fixed(rate, remarks),
        *_minimum(rate, remarks),
    ]
    is_demand = any(charge.kind is Kind.DEMAND for charge in charges)
    _say_not_charged(rate, remarks, is_demand=is_demand)
    return tuple(charges)


def _energy(rate: Mapping[str, Any], remarks: Remarks) -> list[Charge]:
    member = "energyratestructure"
    if rate.get(member) is None:
        remarks.fault(member, "There is no price of energy.")
        return []
    prices = read_prices(rate, member, remarks)
    weekday, weekend = read_tables(rate, _ENERGY_TABLES, len(prices), member, remarks) if prices else (None, None)
    structure = Structure(prices, weekday, weekend)
    tiers_per = _tiers_per(structure, remarks)
    if not prices or tiers_per is None:
        return []
    names = period_names(rate.get("energytoulabels"), len(prices), remarks)
    if structure.is_free:
        remarks.warn(member, "Energy costs nothing at any time.")
    charges = [Charge(Kind.ENERGY, "Electricity", EnergyTerms(structure.periods(names), weekday, weekend, tiers_per))]
    if any(price.sell for tiers in prices for price in tiers):
        terms = EnergyTerms(structure.sold(names), weekday, weekend, tiers_per)
        charges.append(Charge(Kind.EXPORT, "Exported energy", terms))
    return charges


def _tiers_per(structure: Structure, remarks: Remarks) -> Per | None:
    """Return what the tiers count, None where nothing here can count so."""
    counted: dict[str, str] = {}
    for period, tiers in enumerate(structure.prices):
        for index, price in enumerate(tiers):
            path = f"energyratestructure[{period}][{index}].unit"
            if price.unit not in _TIERS_PER:
                if len(tiers) > 1:
                    remarks.fault(path, f"Tiers counted in {price.unit} depend on demand; tiers in kWh are needed.")
                    return None
                if "kwh" not in price.unit.lower():
                    remarks.fault(path, f"{price.unit!r} is no unit of energy that is known here.")
                    return None
                remarks.note(path, f"{price.unit} only says how tiers count, and there is one tier: it is read as kWh.")
            elif len(tiers) > 1:
                counted.setdefault(price.unit or "kWh", path)
    if len(counted) > 1:
        first, other = list(counted.items())[:2]
        remarks.fault(other[1], f"Tiers count {other[0]} here and {first[0]} at {first[1]}: they must count alike.")
        return None
    return _TIERS_PER[next(iter(counted))] if counted else Per.MONTH


def _flat_demand(rate: Mapping[str, Any], remarks: Remarks) -> list[Charge]:
    member, months = "flatdemandstructure", "flatdemandmonths"
    if rate.get(member) is None:
        if rate.get(months) is not None:
            remarks.note(months, "It names periods of demand, and no demand has a price.")
        return []
    prices = read_prices(rate, member, remarks)
    table = read_months(rate, months, len(prices), member, remarks) if prices else None
    return _demand_charge("Demand", Structure(prices, table, table), member, rate.get("flatdemandunit"), remarks)


def _demand_by_time(rate: Mapping[str, Any], remarks: Remarks) -> list[Charge]:
    member = "demandratestructure"
    if rate.get(member) is None:
        for table in _DEMAND_TABLES:
            if rate.get(table) is not None:
                remarks.note(table, "It says when demand is priced, and demandratestructure has no price.")
        return []
    prices = read_prices(rate, member, remarks)
    tables = read_tables(rate, _DEMAND_TABLES, len(prices), member, remarks) if prices else (None, None)
    return _demand_charge(
        "Time-related demand", Structure(prices, *tables), member, rate.get("demandrateunit"), remarks
    )


def _demand_charge(name: str, structure: Structure, member: str, unit: object, remarks: Remarks) -> list[Charge]:
    if not structure.prices:
        return []
    if structure.is_free:
        remarks.note(member, "All of its prices are zero: it charges nothing and is left out.")
        return []
    if unit not in (None, "", "kW"):
        remarks.warn(member, f"It is priced in {unit}, and only kW a month can be charged: it is left out.")
        return []
    names = tuple(_demand_name(index, structure) for index in range(len(structure.prices)))
    return [Charge(Kind.DEMAND, name, DemandTerms(structure.periods(names), structure.weekday, structure.weekend))]


def _demand_name(index: int, structure: Structure) -> str:
    if len(structure.prices) == 1:
        return ""
    is_free = not any(price.rate for price in structure.prices[index])
    return f"Demand period {index}{' (free)' if is_free else ''}"


def _fixed(rate: Mapping[str, Any], remarks: Remarks) -> list[Charge]:
    member = "fixedchargefirstmeter"
    if rate.get(member) is None and rate.get("fixedmonthlycharge") is not None:
        return _amount(rate, "fixedmonthlycharge", "$/month", Kind.FIXED, "Fixed charge", remarks)
    return _amount(rate, member, rate.get("fixedchargeunits"), Kind.FIXED, "Fixed charge", remarks)


def _minimum(rate: Mapping[str, Any], remarks: Remarks) -> list[Charge]:
    name = "Minimum charge"
    charges = _amount(rate, "mincharge", rate.get("minchargeunits"), Kind.MINIMUM, name, remarks)
    charges = charges or _amount(rate, "minmonthlycharge", "$/month", Kind.MINIMUM, name, remarks)
    if number(rate.get("annualmincharge")):
        _amount(rate, "annualmincharge", "$/year", Kind.MINIMUM, name, remarks)
    return charges


def _amount(
    rate: Mapping[str, Any], member: str, unit: object, kind: Kind, name: str, remarks: Remarks
) -> list[Charge]:
    given = rate.get(member)
    if given is None:
        return []
    amount = number(given)
    if amount is None or amount < 0:
        remarks.fault(member, f"{given!r} is not an amount of zero or more.")
        return []
    if not amount:
        remarks.note(member, "It is zero and is left out.")
        return []
    if unit not in _PER:
        said = f"It is given in {unit}" if unit else "It does not say for how long it pays"
        remarks.warn(member, f"{said}, and only $/month and $/day can be charged: {given} is left out.")
        return []
    per = _PER[str(unit)]
    return [Charge(kind, name, FixedTerms(amount, per) if kind is Kind.FIXED else MinimumTerms(amount, per))]


def _say_not_charged(rate: Mapping[str, Any], remarks: Remarks, *, is_demand: bool) -> None:
    if number(rate.get("demandreactivepowercharge")):
        charge = rate["demandreactivepowercharge"]
        remarks.warn(
            "demandreactivepowercharge", f"{charge} a kVAr is not charged: reactive power is not metered here."
        )
    for member, words in (
        ("coincratestructure", "Demand at the time of the system's peak is not charged."),
        ("fueladjustmentsmonthly", "Adjustments by month are not charged."),
    ):
        if _any_number(rate.get(member)):
            remarks.warn(member, words)
    if _any_number(rate.get("demandratchetpercentage")):
        remarks.warn("demandratchetpercentage", "No ratchet is applied: each month's own demand is charged.")
    window = number(rate.get("demandwindow"))
    if window is not None and window != _HALF_HOUR_MINUTES and is_demand:
        remarks.warn("demandwindow", f"Demand is the mean of {window:f} minutes there, and of half-hours here.")
    if number(rate.get("fixedchargeeaaddl")):
        remarks.note("fixedchargeeaaddl", "Further meters of a service point are not charged for.")
    if rate.get("usenetmetering") is True or rate.get("dgrules") not in (None, ""):
        member = "dgrules" if rate.get("dgrules") else "usenetmetering"
        remarks.warn(member, f"{rate[member]}: exported energy is not netted; it earns what sell says, else nothing.")


def _any_number(given: object) -> bool:
    if isinstance(given, list):
        return any(_any_number(item) for item in given)
    if isinstance(given, Mapping):
        return any(_any_number(given.get(member)) for member in ("rate", "adj"))
    return bool(number(given))
