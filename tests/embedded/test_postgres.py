import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from energy_portal.embedded import place, postgres
from energy_portal.embedded.home import Home, HomeInUse
from energy_portal.embedded.postgres import Postgres
from energy_portal.embedded.processes import ServiceFailed, is_alive, pids_working_in, program_of
from energy_portal.embedded.services import running

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the database as somebody else")


def ask(home: Home, query: str) -> object:
    with psycopg.connect(home.endpoints.database_url, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchone()[0] if cursor.description else None


def data_of(home: Home) -> Path:
    return (home.path / "postgres").resolve() / "data"


def permissions(path: Path) -> list[tuple[int, int, int]]:
    return [(part.stat().st_mode, part.stat().st_uid, part.stat().st_gid) for part in (path, *path.parents)]


class TestAServer:
    def test_starts_with_its_database_and_the_extensions_at_hand(self, home):
        with running(Postgres(home)):
            available = ask(home, "SELECT array_agg(name::text) FROM pg_available_extensions")

            assert {"btree_gist", "pg_trgm", "citext"} <= set(available)
            assert ask(home, "SELECT lower('É') || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "éUTF8"
            assert ask(home, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False

    def test_writes_through_to_the_disk_unless_it_is_disposable(self, home):
        with running(Postgres(home)):
            assert [ask(home, f"SHOW {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")] == [
                "on",
                "on",
                "on",
            ]
        with running(Postgres(home, disposable=True)):
            assert ask(home, "SHOW fsync") == "off"

        assert (home.path / "postgres" / "data").is_dir()

    def test_leaves_nothing_running_when_it_stops(self, home):
        server = Postgres(home)
        with running(server):
            process = server.process

        assert process.poll() == 0
        assert pids_working_in(data_of(home)) == set()

    def test_keeps_what_was_committed_before_it_was_killed(self, home):
        server = Postgres(home)
        with running(server):
            ask(home, "CREATE TABLE kept AS SELECT 1 AS id")
            ask(home, "INSERT INTO kept VALUES (2)")
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()

            server.stop()
            server.start()

            assert ask(home, "SELECT count(*) FROM kept") == 2

    def test_ends_a_server_that_an_earlier_run_left_and_keeps_its_rows(self, home):
        orphan = Postgres(home)
        orphan.start()
        ask(home, "CREATE TABLE kept AS SELECT 1 AS id")

        with running(Postgres(home)):
            assert orphan.process.wait(30) == 0
            assert ask(home, "SELECT count(*) FROM kept") == 1

    def test_ends_workers_that_outlived_their_killed_server(self, home, monkeypatch):
        monkeypatch.setattr(postgres, "_WORKER_STOP", ((signal.SIGQUIT, 0.1),))
        killed = Postgres(home)
        killed.start()
        with psycopg.connect(home.endpoints.database_url) as connection:
            worker = connection.info.backend_pid
            os.kill(worker, signal.SIGSTOP)
            os.kill(killed.process.pid, signal.SIGKILL)
            killed.process.wait()

            with running(Postgres(home)):
                assert not is_alive(worker)
                assert ask(home, "SELECT 1") == 1

    def test_starts_over_a_lock_file_whose_number_another_process_has(self, home):
        with running(Postgres(home)):
            lock = data_of(home) / "postmaster.pid"
            lines = lock.read_text().split("\n")
            socket_lock = home.endpoints.database_folder / ".s.PGSQL.5432.lock"
            socket_lines = socket_lock.read_text()
        user = data_of(home).stat().st_uid
        stranger = subprocess.Popen(["sleep", "60"], user=user if os.geteuid() == 0 else None)
        lock.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        os.chown(lock, user, data_of(home).stat().st_gid)
        socket_lock.write_text(socket_lines.replace(lines[0], str(stranger.pid), 1))

        try:
            with running(Postgres(home)):
                assert ask(home, "SELECT 1") == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_begins_anew_after_it_was_killed_while_being_made(self, home):
        home.prepare()
        unfinished = home.path / "postgres" / "data-unfinished"
        with running(Postgres(home)):
            pass
        data_of(home).rename(unfinished)

        with running(Postgres(home)):
            assert ask(home, "SELECT 1") == 1

    def test_says_why_it_does_not_start(self, home):
        with running(Postgres(home)):
            pass
        (data_of(home) / "PG_VERSION").write_text("9\n")

        with pytest.raises(ServiceFailed, match="incompatible with server"):
            Postgres(home).start()

    def test_is_made_anew_when_disposable_data_do_not_start(self, home):
        server = Postgres(home, disposable=True)
        with running(server):
            pass
        (home.path / "postgres-disposable" / "data" / "PG_VERSION").write_text("9\n")

        with running(server):
            assert ask(home, "SELECT 1") == 1


class TestAccess:
    def test_is_over_a_socket_in_a_folder_that_others_cannot_enter(self, home):
        with running(Postgres(home)):
            assert stat.S_IMODE(home.endpoints.database_folder.stat().st_mode) == 0o700
            assert ask(home, "SHOW listen_addresses") == ""

    @as_root
    def test_is_refused_to_another_user_even_at_the_socket(self, home):
        nobody = pwd.getpwnam("nobody").pw_uid
        with running(Postgres(home)):
            home.endpoints.database_folder.chmod(0o777)
            (home.endpoints.database_folder / ".s.PGSQL.5432").chmod(0o777)
            url = home.endpoints.database_url
            asked = os.fork()
            if asked == 0:
                os.setuid(nobody)
                try:
                    psycopg.connect(url)
                except psycopg.OperationalError as error:
                    os._exit(0 if "Peer authentication failed" in str(error) else 1)
                os._exit(2)

            assert os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1]) == 0


@as_root
class TestStartedByRoot:
    def test_runs_as_a_user_that_no_account_has(self, home):
        server = Postgres(home)
        with running(server):
            user = Path(f"/proc/{server.process.pid}").stat().st_uid

        assert user not in {0, *(entry.pw_uid for entry in pwd.getpwall())}

    def test_changes_no_permission_of_the_folders_above(self, home):
        before = permissions(home.path.parent)

        with running(Postgres(home)):
            pass

        assert permissions(home.path.parent) == before

    def test_keeps_its_data_elsewhere_when_its_user_cannot_reach_the_home(self, home, monkeypatch):
        reachable = home.path.parent / "state"
        reachable.mkdir(mode=0o755)
        monkeypatch.setattr(place, "_STATE_ROOT", reachable)
        closed = home.path.parent / "closed"
        closed.mkdir(mode=0o700)
        hidden = Home(closed / "home")

        with running(Postgres(hidden)):
            ask(hidden, "CREATE TABLE kept AS SELECT 1 AS id")
        with running(Postgres(hidden)):
            assert ask(hidden, "SELECT count(*) FROM kept") == 1

        shutil.rmtree(hidden.endpoints.run_folder)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert data_of(hidden).is_relative_to(reachable)

    def test_refuses_to_begin_empty_when_its_data_elsewhere_are_missing(self, home):
        home.prepare()
        (home.path / "postgres").symlink_to("/nowhere/energy-portal")

        with pytest.raises(ServiceFailed, match="Bring it back"):
            Postgres(home).start()

    def test_copies_the_programs_when_its_user_cannot_reach_them(self, home, monkeypatch):
        wheel = place._wheel_folder()
        reaches = place._reaches
        monkeypatch.setattr(
            place, "_reaches", lambda identity, path: not path.is_relative_to(wheel) and reaches(identity, path)
        )
        server = Postgres(home)

        with running(server):
            program = Path(f"/proc/{server.process.pid}/exe").readlink()
            assert ask(home, "SELECT 1") == 1

        assert program.is_relative_to(home.path)


class TestAHome:
    def test_is_refused_while_another_process_holds_it(self, home):
        code = "import sys, time\nfrom pathlib import Path\nfrom energy_portal.embedded.home import Home\n"
        code += "with Home(Path(sys.argv[1])).locked():\n    print('held', flush=True)\n    time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", code, home.path], stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout.readline() == "held\n"
            try:
                with pytest.raises(HomeInUse, match=f"process {holder.pid}"), home.locked():
                    pass
            finally:
                holder.kill()

        with home.locked():
            assert program_of(os.getpid()).startswith("python")
