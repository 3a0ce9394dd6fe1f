import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest
import redis

from energy_portal.embedded.mqtt import Mqtt
from energy_portal.embedded.processes import is_alive
from energy_portal.embedded.services import available_services, needed_services, running
from energy_portal.embedded.valkey import Valkey

HOLD = """
import sys, time
from pathlib import Path
from energy_portal.embedded.home import Home
from energy_portal.embedded.services import needed_services, running

home = Home(Path(sys.argv[1]))
services = needed_services(home)
with home.locked(), running(*services):
    print(*(service.process.pid for service in services), flush=True)
    time.sleep(120)
"""
LISTENING = "0A"


def ask_mqtt(port: int, user: str, password: str) -> list[str]:
    """Connect, publish to oneself and return what arrived."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(user, password)
    arrived: list[str] = []
    client.on_connect = lambda *_: client.subscribe("here", 1)
    client.on_subscribe = lambda *_: client.publish("here", "hello", 1)
    client.on_message = lambda _client, _data, message: arrived.append(message.payload.decode())
    client.connect("127.0.0.1", port)
    deadline = time.monotonic() + 5
    while not arrived and time.monotonic() < deadline and client.loop(0.1) == mqtt.MQTT_ERR_SUCCESS:
        pass
    client.disconnect()
    return arrived


class TestAllServices:
    def test_end_when_the_process_that_started_them_is_killed(self, home, eventually):
        with subprocess.Popen([sys.executable, "-c", HOLD, home.path], stdout=subprocess.PIPE, text=True) as parent:
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            workers = [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_child_of(path, pids)]
            assert len(pids) == 3
            parent.send_signal(signal.SIGKILL)

        assert eventually(lambda: not any(is_alive(pid) for pid in [*pids, *workers]))

    def test_are_lent_to_a_second_process(self, home):
        with subprocess.Popen([sys.executable, "-c", HOLD, home.path], stdout=subprocess.PIPE, text=True) as holder:
            parent_pids = holder.stdout.readline()
            try:
                with available_services(home, lambda: True) as own:
                    assert own is False
                assert all(is_alive(int(pid)) for pid in parent_pids.split())
            finally:
                holder.send_signal(signal.SIGINT)

    def test_are_started_for_the_block_when_nobody_runs_them(self, home):
        with available_services(home, lambda: False) as own:
            assert own is True
            with closing(psycopg.connect(home.endpoints.database_url)) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)

        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(home.endpoints.database_url)

    def test_are_not_started_where_the_environment_names_a_real_one(self, home, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/portal")
        monkeypatch.setenv("MQTT_URL", "mqtt://mqtt.example")

        assert [service.name for service in needed_services(home)] == ["valkey"]


def is_child_of(path: Path, parents: list[int]) -> bool:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1]) in parents
    except OSError:
        return False


class TestValkey:
    def test_keeps_its_queue_when_it_is_killed(self, home):
        server = Valkey(home)
        with running(server), closing(redis.Redis.from_url(home.endpoints.redis_url)) as client:
            client.rpush("queue", "task")
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()

            server.stop()
            server.start()

            assert client.lrange("queue", 0, -1) == [b"task"]

    def test_ends_a_server_that_an_earlier_run_left(self, home):
        orphan = Valkey(home)
        orphan.start()

        with running(Valkey(home)):
            assert orphan.process.wait(10) == 0


class TestTheMqttBroker:
    def test_takes_only_those_who_know_the_home_s_password(self, home):
        with running(Mqtt(home)):
            endpoints = home.endpoints
            password = endpoints.mqtt_url.partition("portal:")[2].partition("@")[0]

            assert ask_mqtt(endpoints.mqtt_port, "portal", password) == ["hello"]
            assert ask_mqtt(endpoints.mqtt_port, "portal", "wrong") == []

    def test_moves_on_when_its_port_is_taken_and_says_so_in_the_home(self, home):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", home.endpoints.mqtt_port))
            taken.listen()
            before = home.endpoints.mqtt_port

            with running(Mqtt(home)):
                assert home.endpoints.mqtt_port != before
                assert f":{home.endpoints.mqtt_port}" in home.endpoints.mqtt_url

        assert home.endpoints.mqtt_file.stat().st_mode & 0o077 == 0

    def test_listens_on_loopback_only(self, home):
        with running(Mqtt(home)):
            port = f"{home.endpoints.mqtt_port:04X}"
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            listening = [address for _, address, _, state, *_ in rows if state == LISTENING]

            assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]
