"""The portal as a person would run it, in a home of its own."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from energy_portal.embedded.home import Home
from energy_portal.embedded.processes import is_alive, pids_with
from tests.prepared import ROOT, copy_to

MARK = "ENERGY_PORTAL_SUPERVISED"
PARTS = ("web worker", "web master", "gateway", "task worker", "database")


@contextmanager
def new_home(*, prepared: bool = False) -> Iterator[Home]:
    """A new home that every user may pass through, gone with its run folder afterwards.

    :param prepared: its database has every migration already, of which most tests do not tell.
    """
    folder = Path(tempfile.mkdtemp(prefix="portal-"))
    folder.chmod(0o711)
    made = Home(folder / "home")
    if prepared:
        copy_to(made)
    yield made
    shutil.rmtree(made.endpoints.run_folder, ignore_errors=True)
    shutil.rmtree(folder)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Portal:
    """The command, run as a person would, in a home of its own."""

    def __init__(self, home, port):
        self.home = home
        self.port = port
        self.output = home.path.with_name("output")
        self.process = None

    def environment(self, **more):
        """Return what its commands need to find it."""
        own = {
            "PORTAL_HOME": str(self.home.path),
            "PORTAL_PORT": str(self.port),
            "PORTAL_WORKERS": "1",
            "DJANGO_SETTINGS_MODULE": "energy_portal.settings.development",
        }
        return {**os.environ, **own, **more}

    def start(self, **environment):
        """Start the command, and return its process."""
        command = [sys.executable, ROOT / "manage.py", "portal", "--no-demo"]
        with self.output.open("w") as output:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment(**environment), stdout=output, stderr=subprocess.STDOUT
            )

    def run(self, **environment):
        """Start it, and wait until it says that it runs."""
        self.process = self.start(**environment)
        deadline = time.monotonic() + 120
        while "is running" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def make_key(self, name):
        """Admit a data source that may send device messages and create devices, and return its key."""
        command = [sys.executable, "manage.py", "create_source", name, "--scope", "devices", "--may-create-devices"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment(), stdout=subprocess.PIPE, check=True, text=True)
        return done.stdout.strip()

    def ask(self, method, path, body=None):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.request(method, path, body)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    @property
    def parts(self):
        """Everything that this home has running."""
        return {pid for pid in pids_with(MARK, str(self.home.path)) if is_alive(pid)} | self.pids_of("database")

    def pids_of(self, part):
        """Return the processes of one of ``PARTS``."""
        if part == "database":
            file = (self.home.path / "postgres").resolve() / "data" / "postmaster.pid"
            pid = int(file.read_text().split("\n")[0]) if file.exists() else 0
            return {pid} if pid and is_alive(pid) else set()
        ours = {pid: _command_of(pid) for pid in pids_with(MARK, str(self.home.path)) if is_alive(pid)}
        masters = {pid for pid, command in ours.items() if "energy_portal.embedded.web" in command}
        match part:
            case "web master":
                return masters
            case "web worker":
                return {pid for pid in ours if _parent_of(pid) in masters and "spawn_main" in ours[pid]}
            case "gateway":
                return {pid for pid, command in ours.items() if command.endswith("manage.py gateway")}
            case _:
                workers = {pid for pid, command in ours.items() if "celery" in command and " worker " in command}
                return {pid for pid in workers if _parent_of(pid) not in workers}


def _command_of(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def _parent_of(pid):
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
