"""Keeps a portal's services and programs running: start in order, restart with backoff, stop in the opposite order."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from energy_portal.embedded.processes import end_strays, launch, pids_with, stop
from energy_portal.embedded.services import Service

_MARK = "ENERGY_PORTAL_SUPERVISED"
_POLL_SECONDS = 0.2
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_STEADY_SECONDS = 60.0
_STRAY_STOP = ((signal.SIGTERM, 3.0),)

Report = Callable[[str, str], None]


@dataclass(frozen=True)
class Program:
    """A command that should always run, the signals that end it with the seconds that each may take, and variables."""

    name: str
    command: Sequence[str | Path]
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Pause:
    """How long to wait before the next start: doubles with each failure, begins anew after a steady run."""

    seconds: float = _FIRST_PAUSE_SECONDS
    started: float = 0.0
    due: float = 0.0

    def begin(self) -> None:
        self.started = time.monotonic()

    def plan(self) -> float:
        now = time.monotonic()
        if now - self.started > _STEADY_SECONDS:
            self.seconds = _FIRST_PAUSE_SECONDS
        pause = self.seconds
        self.due = now + pause
        self.seconds = min(2 * self.seconds, _LONGEST_PAUSE_SECONDS)
        return pause


@dataclass
class _Running:
    program: Program
    pause: _Pause = field(default_factory=_Pause)
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """Runs programs beside services; made for the main thread, whose end is the end of what it started.

    :param mark: names the home; processes of an earlier run that carry it are ended before programs start.
    :param report: takes a name and a line of output; called from several threads.
    """

    def __init__(self, *, services: Sequence[Service], folder: Path, mark: str, report: Report) -> None:
        self._services = services
        self._folder = folder
        self._report = report
        self._mark = mark
        self._environment: Mapping[str, str] = {**os.environ, _MARK: mark, "PYTHONUNBUFFERED": "1"}
        self._running: list[_Running] = []
        self._restarts = {service.name: _Pause() for service in services}

    def end_strays(self) -> None:
        """End programs that an earlier run of this home left behind."""
        end_strays(pids_with(_MARK, self._mark) - {os.getpid()}, _STRAY_STOP)

    def start_services(self) -> None:
        """Start each service and wait until it can be used."""
        for service in self._services:
            self._restarts[service.name].begin()
            service.start()

    def run(self, command: Sequence[str | Path]) -> int:
        """Run a command to its end on this terminal; return its exit code."""
        process = launch(
            command, death_signal=signal.SIGTERM, output=None, environment=self._environment, folder=self._folder
        )
        try:
            return process.wait()
        finally:
            stop(process, ((signal.SIGINT, 5.0),))

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        running = _Running(program)
        self._running.append(running)
        self._launch(running)

    def watch(self) -> None:
        """Restart what ends; returns by an exception only, such as the KeyboardInterrupt of Ctrl-C."""
        while True:
            self.check()
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Look at every service and program once; restart those that ended and whose pause is over."""
        for service in self._services:
            self._check_service(service)
        for running in self._running:
            self._check_program(running)

    def stop(self) -> None:
        """End the programs together, then the services, the last started first."""
        threads = [
            threading.Thread(target=stop, args=(running.process, running.program.stop_signals))
            for running in self._running
            if running.process
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._running.clear()
        for service in reversed(self._services):
            service.stop()

    def _check_service(self, service: Service) -> None:
        pause = self._restarts[service.name]
        if service.process and service.process.poll() is not None:
            self._say_ended(service.name, service.process.returncode, pause.plan())
            service.stop()
        if service.process is None and time.monotonic() >= pause.due:
            pause.begin()
            try:
                service.start()
            except RuntimeError as error:
                service.stop()
                self._report(service.name, f"{error} Next try in {pause.plan():.0f} s.")

    def _check_program(self, running: _Running) -> None:
        if running.process and running.process.poll() is not None:
            self._say_ended(running.program.name, running.process.returncode, running.pause.plan())
            stop(running.process, ())
            running.process = None
        if running.process is None and time.monotonic() >= running.pause.due:
            self._launch(running)

    def _say_ended(self, name: str, code: int, pause_seconds: float) -> None:
        cause = f"signal {-code}" if code < 0 else f"code {code}"
        self._report(name, f"ended with {cause}; starts again in {pause_seconds:.0f} s")

    def _launch(self, running: _Running) -> None:
        running.pause.begin()
        running.process = launch(
            running.program.command,
            death_signal=signal.SIGTERM,
            output=subprocess.PIPE,
            environment={**self._environment, **running.program.environment},
            folder=self._folder,
        )
        pipe = running.process.stdout
        if pipe:
            threading.Thread(target=self._relay, args=(running.program.name, pipe), daemon=True).start()

    def _relay(self, name: str, pipe: IO[bytes]) -> None:
        with suppress(ValueError), pipe:
            for line in pipe:
                self._report(name, line.decode(errors="replace").rstrip())
