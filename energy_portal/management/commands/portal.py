"""Run everything: the embedded services, migrations, demo data at the first start, web, gateway, worker and beat."""

import argparse
import os
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from energy_portal.embedded.home import Home, HomeInUse
from energy_portal.embedded.processes import ServiceFailed
from energy_portal.embedded.services import needed_services
from energy_portal.embedded.supervisor import Program, Supervisor
from energy_portal.management.demo.state import Stage, stage
from energy_portal.shared.demo_logins import read_demo_logins

_COLOURS = {
    "postgres": "blue",
    "valkey": "red",
    "mqtt": "magenta",
    "web": "green",
    "gateway": "bright_blue",
    "worker": "yellow",
    "beat": "cyan",
}
_NAME_WIDTH = 9
_WEB_STOP = ((signal.SIGTERM, 15.0),)
_GATEWAY_STOP = ((signal.SIGTERM, 8.0),)
_CELERY_STOP = ((signal.SIGTERM, 8.0), (signal.SIGQUIT, 3.0))


class Command(BaseCommand):
    """Start the whole portal on this machine and keep it running until Ctrl-C."""

    help = "Start the whole portal on this machine and keep it running until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Let a person decide about demo data."""
        parser.add_argument(
            "--demo",
            action=argparse.BooleanOptionalAction,
            default=not os.environ.get("DATABASE_URL"),
            help="load demo data when the database holds no accounts (default: only into the embedded database)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C, SIGTERM or the terminal's end.

        :raises CommandError: the home is in use, the port is taken, or a part does not start.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        console = Console(highlight=False)
        home = Home(settings.PORTAL_HOME)
        try:
            with home.locked(), _supervisor(home, console) as supervisor:
                self._run(supervisor, console, load_demo=options["demo"])
        except KeyboardInterrupt:
            console.print("Stopped.")
        except (HomeInUse, ServiceFailed) as error:
            raise CommandError(str(error)) from error

    def _run(self, supervisor: Supervisor, console: Console, *, load_demo: bool) -> None:
        supervisor.end_strays()
        _require_free_port(settings.PORTAL_HOST, settings.PORTAL_PORT)
        with console.status("Starting the database, the task broker and the MQTT broker …"):
            supervisor.start_services()
        if _lacks_migrations():
            _manage(supervisor, "migrate", "--verbosity", "0", "--no-input")
        if load_demo and _lacks_demo():
            console.print("Loading a year of demo data; this happens once.")
            _manage(supervisor, "demo")
        for program in _programs():
            supervisor.start(program)
        threading.Thread(target=_announce, args=(console,), daemon=True).start()
        supervisor.watch()


@contextmanager
def _supervisor(home: Home, console: Console) -> Iterator[Supervisor]:
    """Have a supervisor, and everything that it started ended at the block's end, undisturbed by a second Ctrl-C."""
    supervisor = Supervisor(
        services=needed_services(home), folder=settings.BASE_DIR, mark=str(home.path), report=_reporter(console)
    )
    try:
        yield supervisor
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with console.status("Stopping …"):
            supervisor.stop()


def _reporter(console: Console) -> Callable[[str, str], None]:
    def report(name: str, line: str) -> None:
        prefix = Text(f"{name:<{_NAME_WIDTH}}│ ", style=_COLOURS.get(name, "white"))
        with suppress(OSError):
            console.print(prefix + Text.from_ansi(line), soft_wrap=True)

    return report


def _require_free_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandError(
            f"{host}:{port} cannot be used ({error.strerror}). Stop what listens there, or set PORTAL_PORT."
        ) from error


def _manage(supervisor: Supervisor, *arguments: str) -> None:
    code = supervisor.run([sys.executable, settings.BASE_DIR / "manage.py", *arguments])
    if code:
        raise CommandError(f"manage.py {arguments[0]} failed (code {code}); its reason stands above.")


def _lacks_migrations() -> bool:
    """Tell whether there is something to migrate, which a process of its own takes seconds to find out."""
    with _no_connection_left():
        executor = MigrationExecutor(connections["default"])
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _lacks_demo() -> bool:
    """Tell whether demo data are to be loaded, or were not loaded to the end."""
    with _no_connection_left():
        return stage() in {Stage.EMPTY, Stage.STARTED}


@contextmanager
def _no_connection_left() -> Iterator[None]:
    try:
        yield
    finally:
        database = cast("DatabaseWrapper", connections["default"])
        database.close()
        database.close_pool()


def _programs() -> list[Program]:
    python: list[str | Path] = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "--app", "energy_portal.celery"]
    level = f"--loglevel={settings.LOG_LEVEL}"
    schedule = settings.PORTAL_HOME / "beat-schedule"
    figures = _shared_figures()
    gateway: list[str | Path] = [sys.executable, settings.BASE_DIR / "manage.py", "gateway"]
    return [
        Program("web", [*python, *_server()], _WEB_STOP, figures),
        Program("gateway", gateway, _GATEWAY_STOP, figures),
        Program("worker", [*celery, "worker", level, "--hostname=portal@%h", "--concurrency=2"], _CELERY_STOP),
        Program("beat", [*celery, "beat", level, f"--schedule={schedule}", "--pidfile="], _CELERY_STOP),
    ]


def _shared_figures() -> dict[str, str]:
    """Give the processes an empty folder in which they add up their figures, which the web processes show."""
    folder = settings.PORTAL_HOME / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def _server() -> list[str]:
    arguments = [
        "energy_portal.embedded.web", "--host", settings.PORTAL_HOST, "--port", str(settings.PORTAL_PORT),
        "--workers", str(settings.PORTAL_WORKERS),
    ]  # fmt: skip
    if settings.PORTAL_TLS_CERT:
        arguments += ["--certificate", settings.PORTAL_TLS_CERT, "--key", settings.PORTAL_TLS_KEY]
    return arguments


def _announce(console: Console) -> None:
    """Print the address, and a login for each role, once the server answers."""
    while not _answers():
        time.sleep(0.1)
    body = Table.grid()
    body.add_row(Text(settings.PORTAL_URL, style="bold"))
    logins = read_demo_logins(settings.PORTAL_HOME)
    if logins:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("role", "log in as", "password", "begin at"):
            table.add_column(column, header_style="dim", overflow="fold")
        for login in logins:
            table.add_row(login.role, login.email, login.password, login.path)
        body.add_row(table)
    body.add_row(Text("Ctrl-C stops everything.", style="dim"))
    console.print(Panel(body, title="The energy portal is running", border_style="green", expand=False))


def _answers() -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.PORTAL_HOST, settings.PORTAL_HOST)  # noqa: S104
    client: HTTPConnection
    if settings.PORTAL_TLS_CERT:
        # Only asks whether anything answers, of a certificate that need not name this host.
        context = ssl._create_unverified_context()  # noqa: S323
        client = HTTPSConnection(host, settings.PORTAL_PORT, timeout=2, context=context)
    else:
        client = HTTPConnection(host, settings.PORTAL_PORT, timeout=2)
    try:
        client.request("GET", "/livez")
        client.getresponse()
    except OSError:
        return False
    finally:
        client.close()
    return True
