import asyncio
import json
import threading

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from energy_portal.shared import asgi, lifespan
from energy_portal.shared.asgi import (
    BodyGuard,
    ByPath,
    Lifespan,
    OneHopHandler,
    OriginCheck,
    StreamHandler,
    no_such_stream,
)


class Client:
    """Plays a server: gives messages to an application and keeps what it sends."""

    def __init__(self, *messages, then_wait=False):
        self.messages = list(messages)
        self.then_wait = then_wait
        self.sent = []

    async def receive(self):
        if self.messages:
            return self.messages.pop(0)
        if self.then_wait:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def problem(self):
        return json.loads(self.sent[1]["body"])


def chunk(size, more):
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


async def echo(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def http(**headers):
    return {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}


def guard(application=echo, seconds=5.0):
    return BodyGuard(application, largest_bytes=100, longest_seconds=seconds)


def asked_on(get_response):
    def answer(request):
        request.asked_on = threading.get_ident()
        return get_response(request)

    return answer


def where(request):
    alone = request.asked_on == threading.get_ident() != threading.main_thread().ident
    return HttpResponse(b"one thread" if alone else b"several")


def thread(request):
    return HttpResponse(str(threading.get_ident()))


def meeting(request):
    both_are_here.wait(10)
    return thread(request)


def broken(request):
    raise RuntimeError


def stream(request):
    request_thread = threading.current_thread()

    async def parts():
        # It ends soon after its work, not with the stream.
        async with asyncio.timeout(10):
            while request_thread.is_alive():
                await asyncio.sleep(0.01)
        yield b"alone"

    return StreamingHttpResponse(parts())


both_are_here = threading.Barrier(2)
urlpatterns = [
    path("where", where),
    path("thread", thread),
    path("meeting", meeting),
    path("broken", broken),
    path("stream", stream),
]


@pytest.fixture
def handler(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.asked_on", "django.middleware.common.CommonMiddleware", f"{__name__}.asked_on"]
    return OneHopHandler()


async def answered(handler, path):
    client = Client(chunk(0, False), then_wait=True)
    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"localhost")], "query_string": b""}
    await handler(scope, client.receive, client.send)
    return client


class TestTheHandler:
    async def test_runs_middleware_and_view_on_one_thread_beside_the_loop(self, handler):
        client = await answered(handler, "/where")

        assert (client.status, client.sent[1]["body"]) == (200, b"one thread")

    async def test_lends_a_thread_to_one_request_after_the_other(self, handler):
        threads = {(await answered(handler, "/thread")).sent[1]["body"] for _ in range(3)}

        assert len(threads) == 1

    async def test_never_lends_a_thread_to_two_requests_at_once(self, handler):
        first, second = await asyncio.gather(answered(handler, "/meeting"), answered(handler, "/meeting"))

        assert (first.status, second.status) == (200, 200)
        assert first.sent[1]["body"] != second.sent[1]["body"]

    async def test_answers_what_fails_as_usual(self, handler):
        assert (await answered(handler, "/broken")).status == 500
        assert (await answered(handler, "/nowhere")).status == 404


class TestTheHandlerOfStreams:
    async def test_lets_go_of_the_thread_before_the_stream_begins(self, handler):
        client = await answered(StreamHandler(), "/stream")

        assert client.sent[1]["body"] == b"alone"

    async def test_is_chosen_by_the_end_of_the_path(self, handler):
        application = ByPath(handler, endings={"/stream": StreamHandler()})

        assert (await answered(application, "/stream")).sent[1]["body"] == b"alone"
        assert (await answered(application, "/where")).sent[1]["body"] == b"one thread"


class TestTheBodyGuard:
    async def test_passes_a_body_of_the_largest_size(self):
        client = Client(chunk(60, True), chunk(40, False))

        await guard()(http(), client.receive, client.send)

        assert client.sent[1]["body"] == b"100"

    async def test_refuses_a_body_as_soon_as_it_grows_too_large(self):
        client = Client(chunk(60, True), chunk(41, True), chunk(1, False))

        await guard()(http(), client.receive, client.send)

        assert (client.status, client.problem["code"]) == (413, "body_too_large")

    async def test_refuses_a_declared_length_before_the_application_sees_it(self):
        async def unreachable(scope, receive, send):
            raise AssertionError

        client = Client(chunk(101, False))

        await guard(unreachable)(
            {"type": "http", "headers": [(b"content-length", b"101")]}, client.receive, client.send
        )

        assert client.status == 413

    async def test_reads_what_is_still_sent_before_it_refuses_but_not_for_ever(self, monkeypatch):
        monkeypatch.setattr(asgi, "_DISCARD_BYTES", 1_000)
        modest = Client(chunk(101, True), chunk(101, True), chunk(101, False))
        endless = Client(*[chunk(500, True)] * 10)

        await guard()(http(), modest.receive, modest.send)
        await guard()(http(), endless.receive, endless.send)

        assert (modest.status, len(modest.messages)) == (413, 0)
        assert (endless.status, len(endless.messages)) == (413, 7)

    async def test_refuses_a_body_that_does_not_arrive(self):
        client = Client(chunk(1, True), then_wait=True)

        await guard(seconds=0.01)(http(), client.receive, client.send)

        assert (client.status, client.problem["code"]) == (408, "body_too_slow")

    async def test_lets_an_answer_take_longer_than_a_body(self):
        async def stream(scope, receive, send):
            await receive()
            left = asyncio.create_task(receive())
            await asyncio.sleep(0.05)
            assert not left.done()
            left.cancel()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        client = Client(chunk(1, False), then_wait=True)

        await guard(stream, seconds=0.01)(http(), client.receive, client.send)

        assert client.status == 200


class TestTheLifespan:
    @pytest.fixture(autouse=True)
    def no_hooks_of_others(self, monkeypatch):
        monkeypatch.setattr(lifespan, "_startup", [])
        monkeypatch.setattr(lifespan, "_shutdown", [])

    async def test_starts_and_drains(self):
        happened = []
        lifespan.on_startup(lambda: happened.append("started"))
        lifespan.on_shutdown(lambda: happened.append("drained"))
        client = Client({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

        await Lifespan(drain_seconds=1)({"type": "lifespan"}, client.receive, client.send)

        assert happened == ["started", "drained"]
        assert [message["type"] for message in client.sent] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]

    async def test_tells_the_server_why_it_cannot_start(self):
        def fail():
            raise ConnectionError("no database")

        lifespan.on_startup(fail)
        client = Client({"type": "lifespan.startup"})

        with pytest.raises(ConnectionError):
            await Lifespan(drain_seconds=1)({"type": "lifespan"}, client.receive, client.send)

        assert client.sent == [{"type": "lifespan.startup.failed", "message": "ConnectionError: no database"}]


class TestWebsockets:
    async def accept(self, scope, receive, send):
        await send({"type": "websocket.accept"})

    @pytest.mark.parametrize(
        ("origin", "answer"),
        [
            (b"https://portal.example", "websocket.accept"),
            (b"https://PORTAL.example:8443", "websocket.accept"),
            (b"https://elsewhere.example", "websocket.close"),
            (b"null", "websocket.close"),
            (None, "websocket.accept"),
        ],
    )
    async def test_are_opened_by_own_pages_and_devices_only(self, origin, answer):
        client = Client({"type": "websocket.connect"})
        headers = [(b"origin", origin)] if origin is not None else []

        await OriginCheck(self.accept, ["portal.example"])({"headers": headers}, client.receive, client.send)

        assert [message["type"] for message in client.sent] == [answer]

    async def test_are_refused_where_there_is_no_stream(self):
        client = Client({"type": "websocket.connect"})

        await no_such_stream({}, client.receive, client.send)

        assert client.sent == [{"type": "websocket.close", "code": 4404, "reason": "There is no stream here."}]
