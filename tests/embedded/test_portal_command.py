import json
import os
import signal
import socket
from contextlib import suppress

import pytest

from energy_portal.embedded.processes import is_alive
from tests.embedded.running import Portal, free_port, new_home

pytestmark = pytest.mark.long

TOO_LARGE = b"x" * 12_000_000


@pytest.fixture(scope="module")
def kept_portal():
    """A portal whose home is empty at first and which stays when a test ends: to start takes longest."""
    with new_home() as home:
        made = Portal(home, free_port())
        yield made
        if made.process and made.process.poll() is None:
            made.process.terminate()
            made.process.wait(60)


@pytest.fixture
def portal(kept_portal):
    """A portal that runs."""
    if kept_portal.process is None or kept_portal.process.poll() is not None:
        kept_portal.run()
    return kept_portal


class TestThePortal:
    def test_leaves_nothing_when_it_is_killed_and_starts_again(self, portal, eventually):
        parts = portal.parts
        with socket.create_connection(("127.0.0.1", portal.port)) as half_sent:
            half_sent.sendall(b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
            portal.process.kill()
            portal.process.wait()
            assert len(parts) > 4
            assert eventually(lambda: not any(is_alive(pid) for pid in parts))

        portal.run()
        assert portal.ask("GET", "/livez")[0] == 200

        for pid in (portal.process.pid, *portal.parts):
            with suppress(ProcessLookupError):  # it may have followed its parent already
                os.kill(pid, signal.SIGKILL)
        portal.process.wait()
        portal.run()
        assert portal.ask("GET", "/livez")[0] == 200

    def test_refuses_a_second_and_stops_clean(self, portal):
        assert portal.ask("GET", "/livez")[0] == 200
        status, body = portal.ask("POST", "/receive_meter_reading", TOO_LARGE)
        assert (status, json.loads(body)["code"]) == (413, "body_too_large")

        second = portal.start(PORTAL_PORT=str(free_port()))
        assert second.wait(60) == 1
        assert f"in use by process {portal.process.pid}" in portal.output.read_text()

        parts = portal.parts
        portal.process.send_signal(signal.SIGTERM)
        assert portal.process.wait(60) == 0
        assert not any(is_alive(pid) for pid in parts)

    def test_says_that_its_port_is_taken_before_it_starts_anything(self, home):
        portal = Portal(home, free_port())
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", portal.port))
            taken.listen()

            assert portal.start().wait(60) == 1

        assert f"127.0.0.1:{portal.port} cannot be used" in portal.output.read_text()
        assert not (home.path / "postgres").exists()
