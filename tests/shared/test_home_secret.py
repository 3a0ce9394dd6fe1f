import stat
from concurrent.futures import ThreadPoolExecutor

from energy_portal.shared.home_secret import own_secret


class TestOwnSecret:
    def test_is_made_once_and_kept_for_its_owner_only(self, tmp_path):
        home = tmp_path / "home"

        first = own_secret(home)

        assert own_secret(home) == first
        assert len(first) >= 50
        assert stat.S_IMODE((home / "secret-key").stat().st_mode) == 0o600

    def test_differs_from_home_to_home(self, tmp_path):
        assert own_secret(tmp_path / "one") != own_secret(tmp_path / "other")

    def test_is_one_for_all_who_ask_at_once(self, tmp_path):
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(lambda _: own_secret(tmp_path / "home"), range(8)))

        assert len(found) == 1
        assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret-key"]
