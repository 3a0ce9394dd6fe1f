import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from energy_portal.embedded import supervisor as supervising
from energy_portal.embedded.processes import is_alive
from energy_portal.embedded.supervisor import Program, Supervisor

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(120)
"""


class Service:
    """A service in name: counts its starts and stops in a shared list."""

    process = None

    def __init__(self, name, journal):
        self.name = name
        self.journal = journal

    def start(self):
        self.journal.append(f"{self.name} up")
        self.process = self

    def poll(self):
        return None

    def stop(self):
        self.journal.append(f"{self.name} down")


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervise(tmp_path, said):
    made = []

    def make(*services):
        made.append(
            Supervisor(
                services=services,
                folder=tmp_path,
                mark=str(tmp_path),
                report=lambda name, line: said.append((name, line)),
            )
        )
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()


def python(name, code, seconds=5.0):
    return Program(name, [sys.executable, "-c", code], ((signal.SIGTERM, seconds),))


class TestASupervisor:
    def test_passes_on_what_its_programs_print(self, supervise, said, eventually):
        supervisor = supervise()

        supervisor.start(python("web", "import time; print('first'); print('second'); time.sleep(60)"))

        assert eventually(lambda: said == [("web", "first"), ("web", "second")])

    def test_starts_a_failed_program_again_after_a_growing_pause(self, supervise, said, eventually):
        supervisor = supervise()
        supervisor.start(python("web", "raise SystemExit(3)"))

        def ended_twice():
            supervisor.check()
            return len(said) == 2

        assert eventually(ended_twice)
        assert said == [
            ("web", "ended with code 3; starts again in 1 s"),
            ("web", "ended with code 3; starts again in 2 s"),
        ]

    def test_stops_programs_before_services_and_services_last_first(self, supervise, said, eventually):
        journal = []
        supervisor = supervise(Service("database", journal), Service("broker", journal))
        supervisor.start_services()
        code = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('draining')))\n"
        supervisor.start(python("web", f"{code}print('ready')\ntime.sleep(60)"))
        assert eventually(lambda: ("web", "ready") in said)

        supervisor.stop()

        assert journal == ["database up", "broker up", "broker down", "database down"]
        assert eventually(lambda: ("web", "draining") in said)

    def test_kills_a_program_that_does_not_heed_and_all_its_children(self, supervise, said, eventually):
        supervisor = supervise()
        supervisor.start(python("worker", STUBBORN, seconds=0.2))
        assert eventually(lambda: bool(said))
        pids = [int(pid) for pid in said[0][1].split()]

        supervisor.stop()

        assert eventually(lambda: not any(is_alive(pid) for pid in pids))

    def test_ends_programs_of_an_earlier_run_of_its_home_only(self, supervise, said, eventually, monkeypatch):
        monkeypatch.setattr(supervising, "_STRAY_STOP", ((signal.SIGTERM, 0.1),))
        supervise().start(python("web", STUBBORN))
        assert eventually(lambda: bool(said))
        pids = [int(pid) for pid in said[0][1].split()]

        supervise().end_strays()

        assert not any(is_alive(pid) for pid in pids)
        assert is_alive(os.getpid())

    def test_returns_the_exit_code_of_a_command_that_it_runs(self, supervise):
        assert supervise().run([sys.executable, "-c", "raise SystemExit(4)"]) == 4

    def test_gives_its_programs_a_death_signal(self, tmp_path, eventually):
        code = (
            "import sys, time\nfrom pathlib import Path\n"
            "from energy_portal.embedded.supervisor import Program, Supervisor\n"
            "def tell(name, line): Path(sys.argv[1], 'pid').write_text(line)\n"
            "supervisor = Supervisor(services=(), folder=Path(sys.argv[1]), mark=sys.argv[1], report=tell)\n"
            "program = 'import os, time; print(os.getpid()); time.sleep(120)'\n"
            "supervisor.start(Program('web', [sys.executable, '-c', program]))\n"
            "time.sleep(120)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
        told = Path(tmp_path, "pid")
        assert eventually(lambda: told.exists() and told.read_text() != "")
        pid = int(told.read_text())

        parent.kill()
        parent.wait()

        assert eventually(lambda: not is_alive(pid))
