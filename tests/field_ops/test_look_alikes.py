"""Photos that look alike, over all meters."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from field_ops import store
from field_ops.models import Photo
from tests.field_ops.factories import PhotoFactory, SubmissionFactory

pytestmark = pytest.mark.django_db

HASH = -6_953_166_348_111_133_195


def flipped(number: int, *bits: int) -> int:
    """Return a hash with other bits, as a signed integer."""
    other = (number & (2**64 - 1)) ^ sum(1 << bit for bit in bits)
    return other - ((other >> 63) << 64)


def found(number=HASH, *, within_bits=7, except_submission=None, limit=10):
    except_submission = except_submission or SubmissionFactory().pk
    return store.look_alikes(number, within_bits=within_bits, except_submission=except_submission, limit=limit)


class TestLookAlikes:
    def test_are_found_the_most_alike_first(self):
        far = PhotoFactory(perceptual_hash=flipped(HASH, 0, 9, 18, 27, 36, 45, 63))
        same = PhotoFactory(perceptual_hash=HASH)
        near = PhotoFactory(perceptual_hash=flipped(HASH, 5, 63))
        PhotoFactory(perceptual_hash=flipped(HASH, *range(8)))

        assert found() == [
            (photo.pk, photo.submission_id, photo.submission.meter_id, bits)
            for photo, bits in ((same, 0), (near, 2), (far, 7))
        ]
        assert len(found(within_bits=2)) == 2
        assert len(found(limit=1)) == 1

    def test_are_others(self):
        own = PhotoFactory(perceptual_hash=HASH)

        assert found(except_submission=own.submission_id) == []

    def test_are_none_of_a_picture_without_detail(self):
        PhotoFactory(perceptual_hash=None, hash_bands=[])
        PhotoFactory(perceptual_hash=0)

        assert found(None) == []
        assert [row.bits for row in found(0)] == [0]

    def test_are_not_known_of_more_bits(self):
        with pytest.raises(ValueError, match="7 bits"):
            found(within_bits=8)

    def test_agree_with_counting_all(self):
        chance = random.Random(5)
        hashes = [flipped(HASH, *chance.sample(range(64), chance.randrange(14))) for _ in range(80)]
        for number in hashes:
            PhotoFactory(perceptual_hash=number)

        bits = sorted(((number ^ HASH) & (2**64 - 1)).bit_count() for number in hashes)
        assert [row.bits for row in found(limit=100)] == [count for count in bits if count < 8]

    def test_come_from_the_index(self):
        submissions = [SubmissionFactory() for _ in range(3)]
        chance = random.Random(1)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE field_ops_photo DROP CONSTRAINT field_ops_photo_submission_id_key")
        numbers = [chance.randrange(-(2**63), 2**63) for _ in range(6_000)]
        Photo.objects.bulk_create(
            PhotoFactory.build(
                submission=submissions[0], perceptual_hash=number, name=f"{place}", thumbnail=f"t{place}"
            )
            for place, number in enumerate(numbers)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE field_ops_photo")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            found(numbers[0], except_submission=submissions[1].pk)

        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + queries[-1]["sql"])
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Bitmap Index Scan on photo_hash_bands" in plan
