import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.batteries.quantities import NAMES, System
from meters.batteries.simulation import Design, SimulatedBattery
from meters.batteries.simulation.cell import (
    OHMIC_OHM,
    OPEN_CIRCUIT_V,
    POLARISATION_SECONDS,
    POLARISED_OHM,
    one_open_circuit_v,
    open_circuit_v,
)
from meters.batteries.simulation.converter import Converter, cell_share, igbt_share
from meters.batteries.simulation.surroundings import Surroundings

START = 1_760_000_000.0
MINUTE, DAY = 60.0, 86_400.0
DAYS = 14


def lived(days=DAYS, seconds=MINUTE, **design):
    battery = SimulatedBattery(Design(**{"seed": 3, **design}), start=START)
    return battery, battery.run(steps=int(days * DAY / seconds), seconds=seconds)


@pytest.fixture(scope="module")
def weeks():
    return lived()


@pytest.fixture(scope="module")
def hot():
    return lived(days=3, ambient_c=46.0, swing_c=5.0)


class TestACell:
    def test_rests_at_the_published_voltages(self):
        assert open_circuit_v(np.array([0.0, 0.05, 0.5, 1.0])) == pytest.approx([2.621, 3.149, 3.301, 3.470])

    @given(st.floats(-0.5, 1.5))
    def test_has_the_same_voltage_alone_and_in_an_array(self, soc):
        assert one_open_circuit_v(soc, OPEN_CIRCUIT_V.tolist()) == pytest.approx(float(open_circuit_v(np.array(soc))))

    @pytest.mark.parametrize(("amperes", "seconds", "drop_mv"), [(300.0, 0.0, 75.0), (300.0, 50.0, 118.0)])
    def test_gives_way_to_a_pulse_as_a_measured_one_does(self, amperes, seconds, drop_mv):
        lag = 1.0 - np.exp(-seconds / POLARISATION_SECONDS)

        assert 1_000.0 * amperes * (OHMIC_OHM + POLARISED_OHM * lag) == pytest.approx(drop_mv, rel=0.05)


class TestAConverter:
    def test_loses_two_to_four_percent_where_it_works_hard(self):
        converter = Converter(rated_kw=100.0)

        assert [converter.loss_kw(kw) / kw for kw in (30.0, 60.0, 100.0)] == pytest.approx(
            [0.03, 0.03, 0.03], abs=0.008
        )
        assert converter.loss_kw(-60.0) == converter.loss_kw(60.0)
        assert converter.loss_kw(0.0) == 0.0

    def test_does_less_the_hotter_it_is_and_does_not_charge_frozen_cells(self):
        assert [igbt_share(celsius) for celsius in (60.0, 89.5, 100.0)] == [1.0, 0.5, 0.0]
        assert [cell_share(celsius, charges=False) for celsius in (-5.0, 25.0, 58.0)] == [1.0, 1.0, 0.0]
        assert [cell_share(celsius, charges=True) for celsius in (-5.0, 5.0, 25.0)] == [0.0, 0.5, 1.0]

    def test_has_three_phases_that_carry_the_apparent_power(self):
        currents, voltages = Converter(rated_kw=100.0).phases(np.array([-90.0, 90.0]), np.ones(2))

        carried = sum(current * voltage for current, voltage in zip(currents, voltages, strict=True)) / np.sqrt(3.0)
        assert carried == pytest.approx([90_000.0, 90_000.0], rel=0.01)


class TestSurroundings:
    def test_are_the_same_whichever_part_is_asked_for(self):
        place = Surroundings(seed=1, utc_offset_hours=8.0, ambient_c=27.0, swing_c=4.0)
        times = START + MINUTE * np.arange(3_000)

        for told in (place.wanted_share, place.outdoors_c, place.grid, place.ceiling):
            assert told(times[1_700:]) == pytest.approx(told(times)[1_700:])

    def test_ask_to_charge_at_noon_and_to_discharge_in_the_evening(self):
        place = Surroundings(seed=1, utc_offset_hours=8.0, ambient_c=27.0, swing_c=4.0)
        midnight = 20_000 * DAY - 8 * 3_600.0
        noon, evening = (place.wanted_share(midnight + (DAY * np.arange(30)) + hour * 3_600.0) for hour in (12.5, 19.5))

        assert (noon < -0.3).all()
        assert (evening > 0.4).all()


class TestABattery:
    def test_tells_every_published_field_and_never_nothing(self, weeks):
        _, told = weeks

        for system, names in NAMES.items():
            assert set(told.values[system]) == set(names)
            assert all(np.isfinite(values).all() for values in told.values[system].values())

    def test_gives_back_what_it_took_but_for_its_losses(self, weeks):
        battery, told = weeks
        ac, dc, loss = (told.truth[name] for name in ("ac_kw", "dc_kw", "loss_kw"))
        soc = told.truth["soc"]
        resistance = battery.design.cells * (OHMIC_OHM + POLARISED_OHM)
        current = told.values[System.BMS]["current"]
        held_kwh = 0.260 * 280.0 * 0.974 * 3.28 * (soc[-1] - soc[0])
        heat_kwh = resistance * (current**2).sum() / 60_000.0

        assert dc == pytest.approx(ac + loss, abs=0.8)
        assert -dc.sum() / 60.0 - heat_kwh == pytest.approx(held_kwh, abs=0.015 * np.abs(dc).sum() / 60.0)

    def test_returns_85_to_97_percent_of_what_it_takes_from_the_grid(self, weeks):
        _, told = weeks
        ac, soc = told.truth["ac_kw"], told.truth["soc"]
        last = np.flatnonzero(np.abs(soc - soc[0]) < 0.005)[-1]
        window = ac[1 : last + 1]

        assert 0.85 < window[window > 0].sum() / -window[window < 0].sum() < 0.97

    def test_keeps_its_cells_within_the_spread_of_a_healthy_pack(self, weeks):
        _, told = weeks
        bms = told.values[System.BMS]
        spread, soc = bms["cell_voltage_diff"], bms["soc"]

        assert np.median(spread) < 0.02
        assert spread.max() < 0.2
        assert spread[soc < 12].max() > 1.5 * np.median(spread)
        assert spread == pytest.approx(bms["cell_max_voltage"] - bms["cell_min_voltage"], abs=1e-9)
        assert bms["voltage"] == pytest.approx(260 * bms["cell_avg_voltage"], abs=0.6)
        assert 0.5 < bms["cell_temp_diff"].min() < bms["cell_temp_diff"].max() < 9.0

    def test_has_its_weak_cell_at_both_edges(self, weeks):
        battery, told = weeks
        weak, truth = battery.pack.weak, told.truth

        assert np.mean(truth["lowest_cell"][truth["ac_kw"] > 20] == weak) > 0.95
        assert np.mean(truth["lowest_cell"][truth["soc"] < 0.12] == weak) > 0.9
        assert np.mean(truth["highest_cell"][(truth["ac_kw"] < -20) & (truth["soc"] > 0.5)] == weak) > 0.9

    def test_counts_its_charge_within_a_few_percent_and_ages_a_little(self, weeks):
        _, told = weeks
        bms = told.values[System.BMS]

        assert np.abs(bms["soc"] - 100.0 * told.truth["soc"]).max() < 6.0
        assert 0.01 < bms["soh"][0] - bms["soh"][-1] < 0.5

    def test_does_less_when_it_is_hot(self, hot):
        battery, told = hot
        asked = battery.design.rated_kw * battery.surroundings.wanted_share(told.times)
        busy = (asked > 50.0) & (told.truth["soc"] > 0.2)
        cells_c, igbt_c = told.values[System.BMS]["cell_avg_temp"], told.values[System.PCS]["temp_igbt"]

        assert asked[busy & (cells_c > 50.0)].max() > 70.0
        assert told.truth["ac_kw"][busy & (cells_c > 50.0)].max() < 65.0
        assert 50.0 < cells_c[busy].max() < 60.0
        assert igbt_c.max() < 97.0

    def test_is_the_same_for_the_same_seed_only(self):
        _, once = lived(days=1)
        _, again = lived(days=1)
        _, other = lived(days=1, seed=4)

        for system, columns in once.values.items():
            assert all((again.values[system][name] == values).all() for name, values in columns.items())
        assert (once.truth["ac_kw"] != other.truth["ac_kw"]).any()

    @given(
        seed=st.integers(0, 1_000),
        seconds=st.sampled_from([1.0, 10.0, 60.0, 900.0]),
        start_soc=st.floats(0.0, 1.0),
        ambient_c=st.floats(-20.0, 50.0),
        strings=st.integers(1, 12),
    )
    def test_stays_sound_wherever_it_starts(self, seed, seconds, start_soc, ambient_c, strings):
        design = Design(seed=seed, start_soc=start_soc, ambient_c=ambient_c, strings=strings, rated_kw=100.0 * strings)
        told = SimulatedBattery(design, start=START).run(steps=130, seconds=seconds)

        assert (np.diff(told.times) == seconds).all()
        assert all(np.isfinite(values).all() for columns in told.values.values() for values in columns.values())
        assert ((told.values[System.BMS]["soc"] >= 0) & (told.values[System.BMS]["soc"] <= 100)).all()
        assert np.abs(told.truth["ac_kw"]).max() <= design.rated_kw + 1e-9
