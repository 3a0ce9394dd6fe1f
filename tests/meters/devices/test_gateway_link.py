"""The connection to a broker, against the embedded one and Mosquitto."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from meters.devices.gateway.link import Link
from tests.meters.devices.brokers import MOSQUITTO, embedded_broker, mosquitto_broker

TOPIC = "voltguard/devices/+/energy"
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=needs_mosquitto)], scope="module")
def url(request, tmp_path_factory):
    start = embedded_broker if request.param == "embedded" else mosquitto_broker
    with start(tmp_path_factory.mktemp(request.param)) as found:
        yield found


@contextmanager
def connected(url, name, *, topic=TOPIC):
    link = Link(url=url, client_id=name, topics=[topic])
    thread = threading.Thread(target=link.run)
    thread.start()
    try:
        assert link.wait_until_up(20)
        yield link
    finally:
        link.end()
        thread.join()
        # Mosquitto hands a session over to a new connection before it has read what the old one said last.
        time.sleep(0.1)


@contextmanager
def publishing(url):
    parts = urlsplit(url)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    client.max_inflight_messages_set(0)
    client.username_pw_set(parts.username, parts.password)
    client.connect(parts.hostname, parts.port)
    client.loop_start()

    def publish(*payloads, device="plug-1"):
        for sent in [client.publish(f"voltguard/devices/{device}/energy", payload, 1) for payload in payloads]:
            sent.wait_for_publish(20)

    try:
        yield publish
    finally:
        client.disconnect()
        client.loop_stop()


def take(link, count, *, seconds=20):
    taken, deadline = [], time.monotonic() + seconds
    while len(taken) < count and time.monotonic() < deadline:
        taken += link.take(most=1_000, timeout=0.1)
    return taken


def payloads(taken):
    return [received.payload for received in taken]


def _narrow(connect):
    def connect_narrowly(client):
        made = connect(client)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        return made

    return connect_narrowly


class TestTaking:
    def test_keeps_the_order_and_every_byte(self, url):
        sent = [b"%d" % number for number in range(50)] + [b"", b"x" * 200_000, b"\x00\xff"]

        with connected(url, "order") as link, publishing(url) as publish:
            publish(*sent)
            taken = take(link, len(sent))
            link.acknowledge(taken)

        assert payloads(taken) == sent
        assert {received.topic for received in taken} == {b"voltguard/devices/plug-1/energy"}

    def test_takes_what_the_kernel_has_less_room_for_than_one_message_needs(self, url, monkeypatch):
        monkeypatch.setattr(Client, "_create_socket_connection", _narrow(Client._create_socket_connection))
        sent = [b"x" * 40_000, b"1"]

        with connected(url, "narrow") as link:
            monkeypatch.undo()
            with publishing(url) as publish:
                publish(*sent)
                taken = take(link, len(sent))
                link.acknowledge(taken)

        assert payloads(taken) == sent

    def test_goes_on_beyond_what_the_broker_leaves_unacknowledged(self, url):
        sent = [b"%d" % number for number in range(2_500)]
        taken = []

        with connected(url, "beyond") as link, publishing(url) as publish:
            sender = threading.Thread(target=publish, args=sent)
            sender.start()
            while len(taken) < len(sent) and (part := take(link, 1)):
                taken += part
                link.acknowledge(part)
            sender.join()

        assert payloads(taken) == sent

    def test_takes_up_no_more_at_once_than_a_commit_should_hold(self, url):
        sent = [bytes([number]) * 100_000 for number in range(15)]

        with connected(url, "large") as link, publishing(url) as publish:
            publish(*sent)
            deadline = time.monotonic() + 20
            while len(link._waiting) < len(sent) and time.monotonic() < deadline:
                time.sleep(0.01)
            first = link.take(most=100, timeout=1)
            second = link.take(most=100, timeout=1)
            link.acknowledge([*first, *second])

        assert payloads(first) == sent[:11]
        assert payloads(second) == sent[11:]


class TestAcknowledging:
    def test_is_what_keeps_a_message_from_coming_again(self, url):
        with publishing(url) as publish:
            with connected(url, "again") as link:
                publish(b"1", b"2", b"3", b"4")
                first = take(link, 4)
                link.acknowledge(first[:2])
            publish(b"5")
            with connected(url, "again") as link:
                second = take(link, 3)
                link.acknowledge(second)
            with connected(url, "again") as link:
                third = take(link, 1, seconds=0.5)

        assert payloads(first) == [b"1", b"2", b"3", b"4"]
        assert payloads(second) == [b"3", b"4", b"5"]
        assert third == []

    def test_of_a_connection_that_is_gone_says_nothing_on_the_next(self, url):
        with publishing(url) as publish, connected(url, "gone") as link:
            publish(b"1")
            first = take(link, 1)
            link._client.socket().shutdown(2)
            second = take(link, 1)
            link.acknowledge(first)
            publish(b"2")
            link.acknowledge([*second, *take(link, 1)])

            assert payloads(second) == [b"1"]
            assert second[0].connection > first[0].connection
        with connected(url, "gone") as link:
            assert take(link, 1, seconds=0.5) == []


class TestPublishing:
    def test_gives_a_receipt(self, url):
        with connected(url, "receipt") as link, connected(url, "listener") as listener:
            number = link.publish("voltguard/devices/plug-1/energy", b"hello")

            assert link.published.get(timeout=20) == number
            assert payloads(take(listener, 1)) == [b"hello"]

    def test_is_refused_without_a_connection(self):
        with pytest.raises(ConnectionError):
            Link(url="mqtt://127.0.0.1:1", client_id="x", topics=[]).publish("t", b"")


class TestReconnecting:
    def test_follows_a_broker_that_comes_back(self, tmp_path):
        with ExitStack() as broker:
            url = broker.enter_context(embedded_broker(tmp_path / "home"))
            with connected(url, "back") as link:
                broker.close()
                with embedded_broker(tmp_path / "home"), publishing(url) as publish:
                    deadline = time.monotonic() + 20
                    while not link.is_up and time.monotonic() < deadline:
                        time.sleep(0.05)
                    publish(b"1")

                    assert payloads(take(link, 1)) == [b"1"]


@needs_mosquitto
class TestWithMosquitto:
    def test_several_of_a_group_share_the_messages(self, tmp_path):
        sent = [b"%d" % number for number in range(40)]
        shared = f"$share/portal/{TOPIC}"

        with mosquitto_broker(tmp_path) as url, publishing(url) as publish:
            with connected(url, "one", topic=shared) as one, connected(url, "two", topic=shared) as two:
                publish(*sent)
                parts = [take(one, 20), take(two, 20)]
                one.acknowledge(parts[0])
            with connected(url, "two", topic=shared) as two:
                again = take(two, len(parts[1]))

        assert sorted(payloads(parts[0] + parts[1]), key=int) == sent
        assert all(parts)
        assert payloads(again) == payloads(parts[1])

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
    def test_speaks_tls(self, tmp_path, monkeypatch):
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        access = f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n"
        sent = [b"%d" % number for number in range(300)]

        with mosquitto_broker(tmp_path, access=access) as plain:
            url = plain.replace("mqtt://", "mqtts://")
            with connected(url, "tls") as link, connected(url, "sender") as sender:
                assert isinstance(link._client.socket(), ssl.SSLSocket)
                for payload in sent:
                    sender.publish("voltguard/devices/plug-1/energy", payload)
                taken = take(link, len(sent))
                link.acknowledge(taken)

        assert payloads(taken) == sent
