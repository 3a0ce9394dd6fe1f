"""Names and words of a rate against its own prices."""

import re
from collections.abc import Mapping
from typing import Any

from billing.rating.terms import EnergyTerms, Kind
from billing.urdb.charges import Charge
from billing.urdb.remarks import Remarks

_RANKS = (
    ("super off-peak", re.compile(r"super[ -]*off", re.IGNORECASE)),
    ("off-peak", re.compile(r"off[ -]*peak", re.IGNORECASE)),
    ("mid-peak", re.compile(r"(?:mid|part|shoulder)", re.IGNORECASE)),
    ("on-peak", re.compile(r"(?:on[ -]*peak|\bpeak\b)", re.IGNORECASE)),
)
_SEASONS = ("summer", "winter")


def look_at_words(rate: Mapping[str, Any], charges: tuple[Charge, ...], remarks: Remarks) -> None:
    """Remark on texts that speak of tiers, and names of periods that speak of times, which the prices contradict."""
    energy = next((charge.terms for charge in charges if charge.kind is Kind.ENERGY), None)
    if not isinstance(energy, EnergyTerms):
        return
    if all(len(period.tiers) == 1 for period in energy.periods) and re.search(
        r"\btier", str(rate.get("description") or ""), re.IGNORECASE
    ):
        remarks.warn("description", "It speaks of tiers, and every period has one price.")
    _look_at_order(energy, remarks)
    _look_at_seasons(energy, remarks)


def _look_at_order(energy: EnergyTerms, remarks: Remarks) -> None:
    ranked = [(index, _season(period.name), _rank(period.name)) for index, period in enumerate(energy.periods)]
    for one, season, low in ranked:
        for two, other_season, high in ranked:
            if season != other_season or low is None or high is None or low >= high:
                continue
            cheap, dear = energy.periods[one], energy.periods[two]
            if cheap.tiers[0].rate > dear.tiers[0].rate:
                text = f"{cheap.name} costs more than {dear.name} (period {two}): one of the names may be wrong."
                remarks.warn(f"energytoulabels[{one}]", text)


def _rank(name: str) -> int | None:
    return next((rank for rank, (_, pattern) in enumerate(_RANKS) if pattern.search(name)), None)


def _season(name: str) -> str:
    return next((season for season in _SEASONS if season in name.lower()), "")


def _look_at_seasons(energy: EnergyTerms, remarks: Remarks) -> None:
    if energy.weekday is None or energy.weekend is None:
        return
    for month, rows in enumerate(zip(energy.weekday, energy.weekend, strict=True)):
        seasons = {_season(energy.periods[period].name) for row in rows for period in row} - {""}
        if len(seasons) > 1:
            path = f"energyweekdayschedule[{month}]"
            remarks.warn(path, "The month has hours of periods called Summer and of ones called Winter.")
