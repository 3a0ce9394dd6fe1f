import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from energy_portal.embedded.processes import is_alive, pids_with

OPENING = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SERVICE_RESTART = b"\x88\x02\x03\xf4"
ROOT = Path(__file__).resolve().parent.parent.parent


class Server:
    """The web server in a process of its own, with a small application."""

    def __init__(self, folder, eventually):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.mark = folder / "mark"
        self.eventually = eventually

    def start(self, **environment):
        command = [sys.executable, "-m", "energy_portal.embedded.web", "tests.embedded.small_app:application"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=ROOT,
            env={**os.environ, "STARTING": str(self.mark), **environment},
        )

    @property
    def all(self):
        return {pid for pid in pids_with("STARTING", str(self.mark)) if is_alive(pid)}

    def ask(self, path="/"):
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as client:
            client.request("GET", path)
            return int(client.getresponse().read())

    def answers(self):
        with suppress(OSError):
            return bool(self.ask())

    def ends(self):
        """Tell that the master ended by itself (the kernel's last word would be a signal), and all the others."""
        return self.process.wait(20) == 0 and self.eventually(lambda: not self.all)


@pytest.fixture
def server(tmp_path, eventually):
    made = Server(tmp_path, eventually)
    yield made
    for pid in made.all:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    made.process.wait()


class TestTheWebServer:
    def test_answers_what_is_in_flight_and_ends(self, server, eventually):
        server.start()
        assert eventually(server.answers)
        answers = []
        asking = Thread(target=lambda: answers.append(server.ask("/slow")))
        asking.start()
        assert eventually(server.mark.exists)

        server.process.terminate()

        assert server.ends()
        asking.join()
        assert len(answers) == 1

    @pytest.mark.parametrize(
        "sent", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"]
    )
    def test_ends_though_a_client_never_sends_the_rest(self, server, eventually, sent):
        server.start()
        assert eventually(server.answers)

        with socket.create_connection(("127.0.0.1", server.port)) as half_sent:
            half_sent.sendall(sent)
            server.process.terminate()

            assert server.ends()

    def test_tells_websockets_to_come_again(self, server, eventually):
        server.start()
        assert eventually(server.answers)

        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
            opened.sendall(OPENING)
            assert opened.recv(1_000).startswith(b"HTTP/1.1 101")
            server.process.terminate()

            assert opened.recv(1_000) == SERVICE_RESTART
            assert server.ends()

    def test_ends_while_a_worker_starts(self, server, eventually):
        server.start(START_SECONDS="60")
        assert eventually(server.mark.exists)

        server.process.terminate()

        assert server.ends()

    def test_ends_when_its_worker_dies_in_the_same_moment(self, server, eventually):
        server.start()
        assert eventually(server.answers)

        os.kill(server.ask(), signal.SIGKILL)
        server.process.terminate()

        assert server.process.wait(20) >= 0
        assert eventually(lambda: not server.all)

    def test_hears_a_signal_while_it_holds_what_its_end_needs(self):
        script = """if True:
            import os, signal, threading
            from energy_portal.embedded.web import end_when_told
            lock = threading.Lock()

            def end():
                with lock:
                    os._exit(7)

            end_when_told(end)
            with lock:
                signal.raise_signal(signal.SIGTERM)
            threading.Event().wait()
        """

        assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 7

    def test_replaces_a_worker_that_died(self, server, eventually):
        server.start()
        assert eventually(server.answers)
        first = server.ask()

        os.kill(first, signal.SIGKILL)

        assert eventually(lambda: server.answers() and server.ask() != first)

    def test_takes_its_workers_along_when_it_is_killed(self, server, eventually):
        server.start()
        assert eventually(server.answers)

        server.process.kill()

        assert eventually(lambda: not server.all)

    def test_takes_a_worker_that_starts_along_when_it_is_killed(self, server, eventually):
        server.start(START_SECONDS="60")
        assert eventually(server.mark.exists)

        server.process.kill()

        assert eventually(lambda: not server.all)
