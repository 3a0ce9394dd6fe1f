"""Readings for round trips."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from energy_portal.shared.clock import HALF_HOUR
from meters.formats.records import QUALITIES, FileReading

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
VALUES = st.integers(0, 10**13).map(lambda millionths: Decimal(millionths).scaleb(-6))
LENGTHS = st.sampled_from([5, 15, 30]).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def readings(draw, kinds=("dial", "interval")):
    end = EPOCH + draw(st.integers(0, 50_000)) * HALF_HOUR
    start = end - draw(LENGTHS) if draw(st.sampled_from(kinds)) == "interval" else None
    return FileReading(
        line=0,
        serial=draw(
            st.text(
                st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["C", "Z"]),
                min_size=1,
                max_size=20,
            )
        ),
        register_code=draw(st.sampled_from(["1.8.0", "2.8.0"])),
        start=start,
        end=end,
        value=draw(VALUES),
        quality=draw(st.sampled_from([None, *sorted(QUALITIES)])),
    )
