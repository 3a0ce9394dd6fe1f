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
from contextlib import contextmanager
from pathlib import Path

from energy_portal.embedded.home import Home
from energy_portal.embedded.processes import is_alive, pids_with

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "ENERGY_PORTAL_SUPERVISED"


@contextmanager
def new_home() -> Iterator[Home]:
    """A new home that every user may pass through, gone with its run folder afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="portal-"))
    folder.chmod(0o711)
    made = Home(folder / "home")
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
        data = (self.home.path / "postgres").resolve() / "data" / "postmaster.pid"
        database = {int(data.read_text().split("\n")[0])} if data.exists() else set()
        return {pid for pid in pids_with(MARK, str(self.home.path)) | database if is_alive(pid)}
