"""The state machine by itself: one alarm a stretch of trouble, whatever trembles, repeats or comes late."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.alarms import (
    Channel,
    Comparison,
    Deed,
    Limits,
    News,
    Phase,
    channels_of,
    deed_between,
    groups_of,
    in_plain_words,
    let_time_pass,
    look_at_silence,
    look_at_value,
    span_in_words,
)

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LIMITS = Limits(Comparison.ABOVE, set_at=30.0, clear_at=20.0)

values = st.lists(st.one_of(st.none(), st.floats(0, 50), st.sampled_from([math.nan, math.inf, -math.inf])), max_size=40)
holds = st.integers(0, 5).map(lambda seconds: timedelta(seconds=seconds))
limits = st.one_of(
    st.builds(lambda hold, clear: Limits(Comparison.ABOVE, 30.0, 20.0, hold=hold, clear_hold=clear), holds, holds),
    st.builds(lambda hold, clear: Limits(Comparison.BELOW, 20.0, 30.0, hold=hold, clear_hold=clear), holds, holds),
)


def timed(sequence):
    return [(value, NOON + n * SECOND) for n, value in enumerate(sequence)]


def run(limits, sequence, watch=None):
    """Look at values one by one; return the watch and what became of the alarm each time."""
    deeds = []
    for value, at in sequence:
        before, watch = watch, look_at_value(limits, watch, value=value, at=at)
        deeds.append(deed_between(before, watch))
    return watch, deeds


def at_the_end(limits, watch):
    return watch and let_time_pass(limits, watch, now=NOON + timedelta(hours=1))


def is_known(value):
    return value is not None and math.isfinite(value)


class TestLookAtValue:
    @pytest.mark.parametrize(
        ("sequence", "expected"),
        [
            ([29.9, 30.0, 25.0, 30.1, 20.1, 20.0], [None, Deed.RAISE, None, None, None, Deed.CLEAR]),
            ([10.0, 35.0, 10.0, 35.0], [None, Deed.RAISE, Deed.CLEAR, Deed.RAISE]),
        ],
    )
    def test_raises_at_one_threshold_and_clears_at_the_other(self, sequence, expected):
        assert run(LIMITS, timed(sequence))[1] == expected

    @given(limits, values)
    def test_raises_and_clears_in_turns(self, limits, sequence):
        deeds = [deed for deed in run(limits, timed(sequence))[1] if deed]

        assert deeds == [(Deed.RAISE, Deed.CLEAR)[n % 2] for n in range(len(deeds))]

    @given(limits, st.lists(st.floats(20.001, 29.999), max_size=40), st.sampled_from([0.0, 50.0]))
    def test_does_nothing_between_the_thresholds_but_break_a_hold(self, limits, trembling, first):
        watch, _ = run(limits, timed([first]))

        after, deeds = run(limits, [(value, at + SECOND) for value, at in timed(trembling)], watch)

        if watch is None or watch.phase is Phase.RAISED:
            assert not any(deeds)
            assert (after.phase if after else None) == (watch.phase if watch else None)

    @given(limits, values, st.data())
    def test_does_nothing_about_what_was_looked_at_before(self, limits, sequence, data):
        rows = timed(sequence)
        watch, _ = run(limits, rows)
        if watch is None:
            return
        repeated = data.draw(st.lists(st.sampled_from(rows), max_size=20))

        again, deeds = run(limits, repeated, watch)

        newer = [at for value, at in repeated if is_known(value) and at > watch.seen_at]
        assert newer or (again == watch and not any(deeds))

    @given(limits, values, st.lists(st.integers(0, 40), max_size=10))
    def test_comes_to_the_same_however_often_time_passes_in_between(self, limits, sequence, looks):
        rows = timed(sequence)
        watch = None
        for n, (value, at) in enumerate(rows):
            if watch is not None and n in looks:
                watch = let_time_pass(limits, watch, now=at - SECOND / 2)
            watch = look_at_value(limits, watch, value=value, at=at)

        assert at_the_end(limits, watch) == at_the_end(limits, run(limits, rows)[0])

    @given(values, st.integers(1, 5))
    def test_raises_only_after_the_whole_hold(self, sequence, seconds):
        limits = Limits(Comparison.ABOVE, 30.0, 20.0, hold=timedelta(seconds=seconds))
        wrong_since = watch = None
        for value, at in timed(sequence):
            before, watch = watch, look_at_value(limits, watch, value=value, at=at)
            if deed_between(before, watch) is Deed.RAISE:
                assert wrong_since is not None
                assert at - wrong_since >= limits.hold
            if is_known(value):
                wrong_since = (wrong_since or at) if value >= 30.0 else None


class TestLookAtSilence:
    LIMITS = Limits(Comparison.SILENT, no_data=timedelta(minutes=15), clear_hold=timedelta(minutes=1))

    def look(self, watch, heard, now):
        minutes = timedelta(minutes=1)
        return look_at_silence(self.LIMITS, watch, heard_at=NOON + heard * minutes, now=NOON + now * minutes)

    def test_remembers_nobody_who_is_heard(self):
        assert self.look(None, 0, 14.9) is None

    def test_is_over_only_once_it_was_heard_for_as_long_as_the_rule_says(self):
        silent = self.look(None, 0, 15)
        heard = self.look(silent, 20, 20)

        assert silent is not None
        assert heard is not None
        assert (silent.phase, heard.phase) == (Phase.RAISED, Phase.CLEARING)
        assert let_time_pass(self.LIMITS, heard, now=NOON + timedelta(minutes=21)).phase is Phase.QUIET

    def test_does_not_listen_to_older_news(self):
        heard = self.look(self.look(None, 0, 15), 20, 20)

        assert self.look(heard, 0, 20) == heard

    @given(st.lists(st.integers(0, 90), max_size=30))
    def test_raises_and_clears_in_turns(self, heard_at):
        watch, deeds = None, []
        for now in range(90):
            latest = max((heard for heard in heard_at if heard <= now), default=0)
            before, watch = watch, self.look(watch, latest, now)
            deeds.append(deed_between(before, watch))

        found = [deed for deed in deeds if deed]
        assert found == [(Deed.RAISE, Deed.CLEAR)[n % 2] for n in range(len(found))]


class TestInPlainWords:
    @pytest.mark.parametrize(
        ("limits", "quantity", "value", "text"),
        [
            (LIMITS, "temperature_c", 31.5, "The temperature of Kettle is 31.5 °C; 30 °C or more is too high."),
            (
                Limits(Comparison.BELOW, 20.0, 30.0),
                "soc_percent",
                19.0,
                "The state of charge of Kettle is 19 %; 20 % or less is too low.",
            ),
            (LIMITS, "cell_spread", None, "The cell spread of Kettle has reached 30 or more."),
            (
                Limits(Comparison.SILENT, no_data=timedelta(minutes=90)),
                "seen",
                None,
                "Kettle has not been heard from for 90 minutes.",
            ),
        ],
    )
    def test_says_what_is_wrong_and_how_far(self, limits, quantity, value, text):
        assert in_plain_words(limits, label="Kettle", quantity=quantity, value=value) == text

    @pytest.mark.parametrize(
        ("span", "text"),
        [
            (timedelta(days=1), "a day"),
            (timedelta(hours=1), "an hour"),
            (timedelta(hours=3), "3 hours"),
            (timedelta(seconds=90), "90 seconds"),
        ],
    )
    def test_writes_spans_in_the_largest_whole_unit(self, span, text):
        assert span_in_words(span) == text


class TestChannelsOf:
    @pytest.mark.parametrize(
        ("news", "severity", "of_account", "mailed"),
        [
            (News.RAISED, "critical", False, True),
            (News.RAISED, "warning", False, False),
            (News.RAISED, "warning", True, True),
            (News.RAISED, "info", True, False),
            (News.ACKNOWLEDGED, "critical", True, False),
        ],
    )
    def test_mails_what_somebody_has_to_know_of(self, news, severity, of_account, mailed):
        channels = set(channels_of(news, severity=severity, of_account=of_account, snoozed=False))

        assert channels - {Channel.EMAIL} == {Channel.WEBSOCKET, Channel.MQTT}
        assert (Channel.EMAIL in channels) == mailed

    def test_tells_pages_alone_while_it_is_put_off(self):
        told = channels_of(News.RAISED, severity="critical", of_account=True, snoozed=True)

        assert list(told) == [Channel.WEBSOCKET]


class TestGroupsOf:
    def test_names_operators_only_where_it_is_theirs(self):
        assert set(groups_of("device", None)) == {"alarms.all", "alarms.fleet"}
        assert set(groups_of("meter", 7)) == {"alarms.all", "alarms.account.7"}
