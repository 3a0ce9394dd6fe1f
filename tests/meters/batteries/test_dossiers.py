import numpy as np
import pytest

from meters.batteries.dossiers import Dossier, Efficiency, Quarters, dossier_of, round_trip
from meters.batteries.rollup import FIELDS, QUARTER_US

SECONDS = {"covered_seconds", "ac_covered_seconds", "soc_outside_seconds", "voltage_outside_seconds"}
SECONDS |= {"temp_outside_seconds"}
WHOLE = {"covered_seconds": 900.0}


def quarters(*rows: dict[str, float], at: list[int] | None = None) -> Quarters:
    starts = np.array(at if at is not None else range(len(rows)), np.int64) * QUARTER_US
    columns = {
        name: np.array([row.get(name, 0.0 if name in SECONDS else np.nan) for row in rows], np.float64)
        for name in FIELDS
    }
    return Quarters(starts, columns)


def dossier(*rows: dict[str, float], at: list[int] | None = None, length: int = 4, **plate: float | None) -> Dossier:
    plate = {"capacity_ah": 280.0, "rated_energy_kwh": 232.0} | plate
    return dossier_of(quarters(*rows, at=at), edges=(0, length * QUARTER_US), **plate)


def flow(charged: float = 0.0, discharged: float = 0.0, first: float = 50.0, last: float = 50.0) -> dict[str, float]:
    return {
        **WHOLE,
        "charged_kwh": charged,
        "discharged_kwh": discharged,
        "soc_first_percent": first,
        "soc_last_percent": last,
    }


class TestThroughput:
    def test_adds_up_what_is_known(self) -> None:
        row = {**WHOLE, "charged_kwh": 10.0, "discharged_kwh": 4.0, "charged_ah": 14.0, "discharged_ah": 5.6}

        found = dossier(row, {}, row).throughput

        assert (found.charged_kwh, found.discharged_kwh, found.charged_ah) == (20, 8, 28)
        assert (found.cycles, found.cycles_by) == (pytest.approx(39.2 / 560), "capacity")

    def test_counts_cycles_by_the_rated_energy_where_no_capacity_is_known(self) -> None:
        found = dossier(flow(charged=58.0, discharged=58.0), capacity_ah=None).throughput

        assert (found.cycles, found.cycles_by) == (0.25, "rated energy")

    def test_is_not_known_of_nothing(self) -> None:
        found = dossier({"soc_low_percent": 50.0}).throughput

        assert (found.charged_kwh, found.cycles, found.cycles_by) == (None, None, "")


class TestRoundTrip:
    def of(self, *rows: dict[str, float], at: list[int] | None = None, rated: float | None = 232.0) -> Efficiency:
        return round_trip(quarters(*rows, at=at), side="", rated_energy_kwh=rated)

    def test_is_what_came_back_at_the_same_state_of_charge(self) -> None:
        found = self.of(flow(100, 0, 20, 60), flow(0, 95, 60, 20.5), flow(50, 0, 20.5, 40))

        assert (found.percent, found.start, found.end) == (95, 0, 2 * QUARTER_US)
        assert not found.is_corrected

    def test_is_corrected_by_what_stayed_in(self) -> None:
        found = self.of(flow(200, 0, 10, 90), flow(0, 180, 90, 14))

        assert (found.percent, found.is_corrected) == (pytest.approx((180 + 0.04 * 232) / 200 * 100), True)

    def test_is_not_told_where_the_ends_differ_too_much(self) -> None:
        assert self.of(flow(100, 0, 20, 60)).reason == "The state of charge differs too much between both ends."

    def test_is_not_told_where_little_went_in(self) -> None:
        assert "Less than a quarter" in self.of(flow(57, 0), flow(0, 55)).reason

    def test_is_not_told_where_the_state_of_charge_is_missing(self) -> None:
        assert "not known" in self.of({**WHOLE, "charged_kwh": 100.0, "discharged_kwh": 90.0}).reason

    def test_is_not_told_where_more_came_out_than_went_in(self) -> None:
        assert "More came out" in self.of(flow(100, 101)).reason

    def test_is_not_told_of_a_battery_of_unknown_energy_that_did_not_come_back(self) -> None:
        assert "never came back" in self.of(flow(100, 10, 20, 60), rated=None).reason
        assert self.of(flow(100, 90, 20, 20), rated=None).percent == 90

    def test_is_not_told_over_a_gap(self) -> None:
        rows = flow(100, 0, 20, 60), flow(0, 90, 60, 20)

        assert self.of(*rows, at=[0, 2]).percent is None
        assert "no quarter" in self.of().reason

    def test_of_the_ac_side_needs_what_the_pcs_told(self) -> None:
        row = {**flow(100, 95), "ac_covered_seconds": 900.0, "ac_charged_kwh": 105.0, "ac_discharged_kwh": 84.0}

        found = dossier(row)

        assert (found.dc.percent, found.ac.percent) == (95, 80)


class TestExtremes:
    def test_come_with_their_quarter(self) -> None:
        rows = [{"soc_low_percent": low, "cell_temp_high_c": 30.0} for low in (20.0, np.nan, 12.0)]

        found = {each.name: (each.value, each.at) for each in dossier(*rows).extremes}

        assert found == {"soc_low_percent": (12, 2 * QUARTER_US), "cell_temp_high_c": (30, 0)}


class TestOutside:
    def test_adds_up_seconds_of_what_was_ever_told(self) -> None:
        row = {"soc_low_percent": 3.0, "soc_outside_seconds": 600.0}

        found = dossier(row, row).outside

        assert (found.soc_seconds, found.voltage_seconds) == (1200, None)


class TestCoverage:
    def test_tells_the_share_and_the_longest_gap(self) -> None:
        found = dossier({**WHOLE}, {"covered_seconds": 450.0}, at=[1, 5], length=8).coverage

        assert (found.share, found.known_seconds) == (1350 / 7200, 1350)
        assert (found.longest_gap_seconds, found.gap_start) == (2700, 2 * QUARTER_US)

    def test_is_all_gap_where_nothing_was_told(self) -> None:
        found = dossier().coverage

        assert (found.share, found.longest_gap_seconds, found.gap_start) == (0, 3600, 0)

    def test_has_no_gap_where_all_is_known(self) -> None:
        found = dossier(WHOLE, WHOLE, length=2).coverage

        assert (found.share, found.longest_gap_seconds, found.gap_start) == (1, 0, None)


class TestDays:
    def test_are_cut_at_their_edges(self) -> None:
        rows = [flow(charged=n, first=n, last=n) | {"soc_low_percent": n, "soc_high_percent": n} for n in (1, 2, 4)]
        edges = [0, 2 * QUARTER_US, 3 * QUARTER_US, 4 * QUARTER_US]

        days = dossier_of(quarters(*rows), edges=edges, capacity_ah=None, rated_energy_kwh=None).days

        assert [(day.charged_kwh, day.soc_high_percent, day.share) for day in days] == [
            (3, 2, 1),
            (4, 4, 1),
            (None, None, 0),
        ]


class TestHealth:
    def test_is_the_first_and_the_last_that_was_told(self) -> None:
        found = dossier({}, {"soh_percent": 98.0}, {"soh_percent": 97.5}, {})

        assert (found.soh_first_percent, found.soh_last_percent) == (98, 97.5)
