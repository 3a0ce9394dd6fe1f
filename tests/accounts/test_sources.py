import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.actors import PORTAL
from accounts.models import AuditEntry, DataSource, SourceKey
from accounts.selectors.sources import keys_in_force, source_key
from accounts.services import sources
from energy_portal.shared.errors import Invalid
from tests.accounts.conftest import NOW

pytestmark = pytest.mark.django_db


def rotate(source, **more):
    return sources.rotate_key(source_id=source.public_id, actor=PORTAL, **{"now": NOW, **more})


class TestCreateSource:
    def test_stores_only_the_hash_of_a_256_bit_secret(self, source_and_key):
        source, key = source_and_key
        mark, prefix, secret = key.split("_")
        stored = source.keys.get()

        assert (mark, len(bytes.fromhex(secret))) == ("ep", 32)
        assert stored.prefix == prefix
        assert stored.key_hash == hashlib.sha256(secret.encode()).hexdigest()

    def test_is_audited_without_the_key(self, source_and_key):
        source, key = source_and_key
        entry = AuditEntry.objects.get(action="source.created")

        assert entry.object_id == str(source.pk)
        assert key.rpartition("_")[2] not in str(entry.detail)

    def test_refuses_a_second_source_of_a_name(self, source_and_key):
        with pytest.raises(sources.SourceExists):
            sources.create_source(name="head-end", scopes=["queries"], actor=PORTAL, now=NOW)

    @pytest.mark.parametrize("scopes", [[], ["everything"]])
    def test_refuses_no_scope_and_unknown_scopes(self, scopes):
        with pytest.raises(Invalid):
            sources.create_source(name="other", scopes=scopes, actor=PORTAL, now=NOW)


class TestSourceKey:
    def test_is_found_with_its_source_by_one_query(self, source_and_key, django_assert_num_queries):
        source, key = source_and_key

        with django_assert_num_queries(1):
            found = source_key(text=key, now=NOW)
            assert found is not None
            assert found.source == source

    @pytest.mark.parametrize(
        "spoil", [lambda key: key[:-1] + "x", lambda key: key[:10], lambda key: "ep__", lambda key: f"{key}é"]
    )
    def test_is_not_found_when_a_character_differs(self, source_and_key, spoil):
        assert source_key(text=spoil(source_and_key[1]), now=NOW) is None

    def test_opens_nothing_once_its_source_is_revoked(self, source_and_key):
        source, key = source_and_key
        sources.revoke_source(source_id=source.public_id, actor=PORTAL, now=NOW)

        assert source_key(text=key, now=NOW) is None


class TestRotateKey:
    def test_leaves_both_keys_valid_until_the_old_one_lapses(self, source_and_key):
        source, old = source_and_key
        new = rotate(source, old_key_lifetime=timedelta(days=7))

        assert source_key(text=old, now=NOW + timedelta(days=6)) is not None
        assert source_key(text=old, now=NOW + timedelta(days=7)) is None
        assert source_key(text=new, now=NOW + timedelta(days=70)) is not None

    def test_refuses_a_third_key(self, source_and_key):
        source, _ = source_and_key
        rotate(source)

        with pytest.raises(sources.TooManyKeys):
            rotate(source)

    def test_goes_on_once_one_is_revoked(self, source_and_key):
        source, old = source_and_key
        rotate(source)
        key = source_key(text=old, now=NOW)
        sources.revoke_key(source_id=source.public_id, key_id=key.pk, actor=PORTAL, now=NOW)

        assert source_key(text=rotate(source), now=NOW) is not None
        assert source_key(text=old, now=NOW) is None

    def test_refuses_a_revoked_source(self, source_and_key):
        source, _ = source_and_key
        sources.revoke_source(source_id=source.public_id, actor=PORTAL, now=NOW)

        with pytest.raises(sources.SourceRevoked):
            rotate(source)

    def test_refuses_the_key_of_another_source(self, source_and_key):
        source, _ = source_and_key
        other, _ = sources.create_source(name="other", scopes=["queries"], actor=PORTAL, now=NOW)

        with pytest.raises(sources.NoSuchKey):
            sources.revoke_key(source_id=source.public_id, key_id=other.keys.get().pk, actor=PORTAL, now=NOW)


@pytest.mark.django_db(transaction=True)
class TestRotationAtOnce:
    def test_never_leaves_more_than_two_valid_keys(self):
        source, _ = sources.create_source(name="raced", scopes=["readings"], actor=PORTAL, now=NOW)
        start = Barrier(6)

        def attempt(_: int) -> bool:
            start.wait()
            try:
                rotate(source)
            except sources.TooManyKeys:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(6) as pool:
            outcomes = list(pool.map(attempt, range(6)))

        assert outcomes.count(True) == 1
        assert len(keys_in_force(source=source, now=NOW)) == 2


class TestNoteUse:
    def test_writes_once_a_minute(self, source_and_key, django_assert_num_queries):
        key = source_key(text=source_and_key[1], now=NOW)
        with django_assert_num_queries(1):
            sources.note_use(key=key, now=NOW)

        again = SourceKey.objects.get()
        with django_assert_num_queries(0):
            sources.note_use(key=again, now=NOW + timedelta(seconds=59))
        with django_assert_num_queries(1):
            sources.note_use(key=again, now=NOW + timedelta(seconds=60))

        assert SourceKey.objects.get().last_used_at == NOW + timedelta(seconds=60)


class TestCommands:
    def test_create_rotate_and_revoke_a_source(self, capsys):
        scopes = ("--scope", "readings", "--scope", "queries")
        call_command("create_source", "north", *scopes, "--labels", "period-start", "--zone", "Europe/Berlin")
        first = capsys.readouterr().out.strip()
        call_command("rotate_source_key", "north", keep_days=1)
        second = capsys.readouterr().out.strip()
        source = DataSource.objects.get(name="north")

        assert (source.scopes, source.label_convention, source.zone) == (
            ["queries", "readings"],
            "period_start",
            "Europe/Berlin",
        )
        assert source_key(text=first, now=source.created_at) is not None
        assert source_key(text=second, now=source.created_at) is not None
        call_command("revoke_source", "north")
        assert source_key(text=second, now=source.created_at) is None

    @pytest.mark.parametrize("command", ["rotate_source_key", "revoke_source"])
    def test_say_when_there_is_no_such_source(self, command):
        with pytest.raises(CommandError, match="no data source called nobody"):
            call_command(command, "nobody")

    def test_say_when_the_zone_is_unknown(self):
        with pytest.raises(CommandError, match="Mars"):
            call_command("create_source", "north", "--scope", "readings", "--zone", "Mars/Base")
