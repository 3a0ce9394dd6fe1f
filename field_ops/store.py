"""The hand-written SQL of field work."""

from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from field_ops.photos import bands_of

# Hashes that differ in at most so many bits share one of their eight bytes, by which the index finds them.
MOST_BITS = 7

# The GIN index photo_hash_bands gives every photo that shares a byte at its place, some 3 % of all of them where bytes
# are spread evenly; the bits of those are counted, and only of what is left the meter is looked up. Among 500,000
# photos that is 16 ms, and it grows with their number.
_LOOK_ALIKES = """
    SELECT photo.id, photo.submission_id, submission.meter_id, photo.bits
    FROM (
        SELECT id, submission_id, bit_count((perceptual_hash # %(hash)s::int8)::bit(64)) AS bits
        FROM field_ops_photo
        WHERE hash_bands && %(bands)s::int2[] AND submission_id <> %(except)s
          AND bit_count((perceptual_hash # %(hash)s::int8)::bit(64)) <= %(within)s
        ORDER BY bits, id
        LIMIT %(limit)s
    ) AS photo
    JOIN field_ops_submission AS submission ON submission.id = photo.submission_id
    ORDER BY photo.bits, photo.id
"""


class LookAlike(NamedTuple):
    """A photo that looks like another one, but for so many bits of their hashes."""

    photo_id: UUID
    submission_id: UUID
    meter_id: UUID
    bits: int


def look_alikes(
    perceptual_hash: int | None, *, within_bits: int, except_submission: UUID, limit: int
) -> list[LookAlike]:
    """Return the photos of all meters whose hash differs in few bits, the most alike first; of no hash there are none.

    :param except_submission: whose photo is asked about.
    :raises ValueError: more than ``MOST_BITS`` are asked for, of which the index does not know all.
    """
    if within_bits > MOST_BITS:
        raise ValueError(f"Look-alikes are known within {MOST_BITS} bits, not within {within_bits}.")
    if perceptual_hash is None:
        return []
    asked: dict[str, Any] = {
        "hash": perceptual_hash,
        "bands": list(bands_of(perceptual_hash)),
        "except": except_submission,
        "within": within_bits,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_ALIKES, asked)
        return [LookAlike(*row) for row in cursor.fetchall()]
