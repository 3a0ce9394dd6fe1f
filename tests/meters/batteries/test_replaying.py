from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.batteries.quantities import System
from meters.batteries.replaying import EventId, Mode, Replay, Replayed, Row, in_ms, patience_seconds

START = datetime(2025, 3, 1, tzinfo=UTC)
SYSTEMS = (System.BMS, System.PCS)

seconds = st.lists(st.integers(0, 60), unique=True, max_size=12).map(sorted)
histories = st.fixed_dictionaries({System.BMS: seconds, System.PCS: seconds})
page_sizes = st.integers(1, 5)


def rows(history: list[int], after: datetime | None, size: int) -> tuple[list[Row], bool]:
    found = [Row(START + timedelta(seconds=second), str(second)) for second in history]
    found = [row for row in found if after is None or row.at > after]
    return found[:size], len(found) < size


def step(replay: Replay, history: dict[System, list[int]], size: int) -> list[Replayed]:
    while lacking := replay.lacks():
        for system, after in lacking:
            page, is_last = rows(history[system], after, size)
            replay.feed(system, page, is_last=is_last)
    return replay.step()


def steps(replay: Replay, history: dict[System, list[int]], size: int, count: int) -> list[list[Replayed]]:
    """Return so many steps that tell something."""
    found: list[list[Replayed]] = []
    while len(found) < count:
        told = step(replay, history, size)
        if told:
            found.append(told)
        elif replay.is_empty:
            break
    return found


def flat(found: list[list[Replayed]]) -> list[tuple[System, EventId, str]]:
    return [(told.system, told.id, told.text) for each in found for told in each]


def lap_of(history: dict[System, list[int]], size: int, lap: int) -> list[list[Replayed]]:
    found = steps(Replay(SYSTEMS), history, size, 60)
    return [each for each in found if each[0].id.lap == lap]


class TestReplay:
    @given(histories, page_sizes)
    def test_tells_every_row_once_a_lap_in_the_order_of_time(self, history, size):
        expected = sorted((second, system) for system in SYSTEMS for second in history[system])

        for lap in (1, 2):
            told = [(int(told.text), told.system) for each in lap_of(history, size, lap) for told in each]
            assert sorted(told) == expected
            assert [second for second, _ in told] == [second for second, _ in expected]

    @given(histories, page_sizes)
    def test_tells_a_row_of_each_system_at_most_in_a_step(self, history, size):
        for each in lap_of(history, size, 1):
            assert len({told.system for told in each}) == len(each)

    @given(histories, page_sizes, st.data())
    def test_goes_on_after_any_position(self, history, size, data):
        whole = flat(steps(Replay(SYSTEMS), history, size, 40))
        if not whole:
            return
        place = data.draw(st.integers(0, len(whole) - 1))
        position = whole[place][1]
        resumed = Replay(SYSTEMS, EventId.parse(str(position)))

        found = flat(steps(resumed, history, size, 10))

        # What shares the instant of the last event is taken to have come with it.
        rest = [each for each in whole[place + 1 :] if each[1] != position]
        length = min(len(found), len(rest))
        assert found[:length] == rest[:length]

    @given(histories, page_sizes)
    def test_holds_no_more_than_pages_of_what_is_next(self, history, size):
        replay = Replay(SYSTEMS)
        for _ in range(30):
            step(replay, history, size)
            assert all(len(track.rows) <= size + 1 for track in replay._tracks.values())

    def test_tells_two_systems_that_report_in_turn_together(self):
        history = {System.BMS: [0, 5, 10], System.PCS: [2, 7, 12]}

        found = steps(Replay(SYSTEMS), history, 3, 3)

        assert [[told.text for told in each] for each in found] == [["0", "2"], ["5", "7"], ["10", "12"]]

    def test_tells_the_faster_of_two_systems_row_by_row(self):
        history = {System.BMS: [0, 3], System.PCS: [0, 1, 2, 3]}

        found = steps(Replay(SYSTEMS), history, 3, 4)

        assert [len(each) for each in found] == [2, 1, 1, 2]

    def test_is_empty_only_where_a_whole_lap_found_nothing(self):
        history = {System.BMS: [1], System.PCS: []}
        behind = Replay(SYSTEMS, EventId(Mode.REPLAY, in_ms(START + timedelta(days=1)), 4))
        nothing = Replay(SYSTEMS)

        assert step(behind, history, 3) == []
        assert not behind.is_empty
        assert step(nothing, {System.BMS: [], System.PCS: []}, 3) == []
        assert nothing.is_empty
        assert step(behind, history, 3)[0].id.lap == 5

    def test_finds_a_history_that_came_later(self):
        replay = Replay(SYSTEMS)
        step(replay, {System.BMS: [], System.PCS: []}, 3)

        replay.start_over()

        assert step(replay, {System.BMS: [1], System.PCS: []}, 3)[0].text == "1"


class TestEventId:
    @given(st.sampled_from(Mode), st.integers(0, 10**14), st.integers(1, 10**6))
    def test_is_read_as_it_was_written(self, mode, at_ms, lap):
        written = EventId(mode, at_ms, lap if mode is Mode.REPLAY else 0)

        assert EventId.parse(str(written)) == written

    @pytest.mark.parametrize(
        "text", ["", "live", "live-", "live-x", "live--1", "live-1-2", "replay-1", "replay-0-1", "dead-1", "live-²"]
    )
    def test_is_nothing_that_we_did_not_write(self, text):
        assert EventId.parse(text) is None

    @given(st.text())
    def test_never_fails(self, text):
        EventId.parse(text)
        EventId.parse(f"live-{text}")

    def test_ends_with_its_millisecond(self):
        at = datetime(2025, 3, 1, 12, 0, 0, 1500, tzinfo=UTC)

        assert EventId(Mode.LIVE, in_ms(at)).end == at + timedelta(microseconds=499)
        assert EventId(Mode.LIVE, 999_999_999_999_999).end is None

    def test_grows_with_time(self):
        instants = [START + timedelta(microseconds=700 * n) for n in range(20)]

        assert all(before <= after for before, after in pairwise(map(in_ms, instants)))


class TestPatience:
    @pytest.mark.parametrize(("interval", "seconds"), [(0.1, 30.0), (10.0, 30.0), (60.0, 180.0)])
    def test_is_half_a_minute_or_three_intervals(self, interval, seconds):
        assert patience_seconds(interval) == seconds
