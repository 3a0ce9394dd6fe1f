"""How late 5,000 websockets hear what 2,000 batteries tell once a second each, and whether any of it is dropped.

Two web workers as ``manage.py portal`` starts them, the Redis pub/sub layer, each client logged in on a session of its
own; publisher, server, PostgreSQL, Valkey and clients share the machine. The lag runs from ``services.news`` in the
publisher to the client's socket, by one clock. Against: a bare Channels consumer with as many clients in the same run.
``STREAM_FANOUT_CLIENTS``, ``…_BATTERIES``, ``…_SECONDS`` (20 unless told) and ``…_WORKERS`` (2) set how much of it.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import portal, report
from tests.benchmarks.serving import web

CLIENTS = int(os.environ.get("STREAM_FANOUT_CLIENTS", "5000"))
BATTERIES = int(os.environ.get("STREAM_FANOUT_BATTERIES", "2000"))
SECONDS = float(os.environ.get("STREAM_FANOUT_SECONDS", "20"))
WORKERS = int(os.environ.get("STREAM_FANOUT_WORKERS", "2"))
_WARM_UP_SECONDS = 5.0
_GRACE_SECONDS = 3.0
_ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    """Have the portal's streams, then a bare consumer, heard by as many, and report."""
    allow_files(CLIENTS + 500)
    with portal():
        batteries = seed_batteries(BATTERIES)
        sessions = seed_sessions(CLIENTS)
        with web("energy_portal.asgi:application", workers=WORKERS) as port:
            paths = [f"/ws/batteries/{batteries[pk]}/" for pk in spread(list(batteries), CLIENTS)]
            heard = hear(port, paths, sessions, list(batteries), bare=False)
        with web("tests.benchmarks.bare_consumer:application", workers=WORKERS) as port:
            paths = [f"/ws/bare/{pk}/" for pk in spread(list(batteries), CLIENTS)]
            bare = hear(port, paths, [], list(batteries), bare=True)
    print(json.dumps({"streams": heard, "bare": bare}), file=sys.stderr)
    report(
        "stream_fanout",
        heard["p99_ms"],
        "ms",
        ratio=round(heard["p99_ms"] / bare["p99_ms"], 3),
        against="a bare Channels consumer",
        n=heard["received"],
        p50_ms=heard["p50_ms"],
        dropped=heard["dropped"],
        closed=heard["closed"],
        clients=CLIENTS,
        batteries=BATTERIES,
        bare_p99_ms=bare["p99_ms"],
        bare_dropped=bare["dropped"],
    )


def allow_files(count: int) -> None:
    """Let this process and its children open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise SystemExit(f"{count} connections need as many open files; this machine allows {hard} (ulimit -Hn).")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def seed_batteries(count: int) -> dict[int, str]:
    """Have so many batteries, and return their names by key."""
    from meters.batteries.models import Battery

    names = [f"FANOUT{number:06d}" for number in range(count)]
    Battery.objects.bulk_create([Battery(battery_id=name) for name in names], ignore_conflicts=True)
    return dict(Battery.objects.filter(battery_id__in=names).values_list("pk", "battery_id"))


def seed_sessions(count: int) -> list[str]:
    """Log so many operators in, each once, and return the keys of their sessions."""
    from django.contrib.sessions.backends.base import VALID_KEY_CHARS
    from django.contrib.sessions.backends.db import SessionStore
    from django.utils import timezone
    from django.utils.crypto import get_random_string

    from accounts.models import User
    from accounts.roles import Role

    emails = [f"fan{number}@example.org" for number in range(count)]
    User.objects.bulk_create(
        [User(email=email, name="Fan", role=Role.OPERATOR, password="!") for email in emails], ignore_conflicts=True
    )
    model = SessionStore.get_model_class()
    sessions = []
    for user in User.objects.filter(email__in=emails):
        login = {
            "_auth_user_id": str(user.pk),
            "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
            "_auth_user_hash": user.get_session_auth_hash(),
        }
        store = SessionStore()
        expires = timezone.now() + timedelta(days=1)
        sessions.append(
            model(
                session_key=get_random_string(32, VALID_KEY_CHARS),
                session_data=store.encode(login),
                expire_date=expires,
            )
        )
    model.objects.bulk_create(sessions)
    return [session.session_key for session in sessions]


def spread(keys: list[int], count: int) -> list[int]:
    """Return so many keys, each about as often."""
    return [keys[place % len(keys)] for place in range(count)]


def hear(port: int, paths: list[str], sessions: list[str], batteries: list[int], *, bare: bool) -> dict[str, Any]:
    """Open all connections, have the batteries tell, and return how late and how much was heard."""
    opening = time.monotonic()
    with program("tests.benchmarks.fans") as fans:
        ask(fans, {"port": port, "paths": paths, "sessions": sessions, "grace": _GRACE_SECONDS})
        opened_seconds = round(time.monotonic() - opening, 1)
        told = {"batteries": batteries, "seconds": _WARM_UP_SECONDS + SECONDS + _GRACE_SECONDS, "bare": bare}
        with program("tests.benchmarks.teller") as teller:
            ask(teller, told)
            begins_at = datetime.now(UTC).timestamp() + _WARM_UP_SECONDS
            say(teller, "go")
            heard = json.loads(ask(fans, [begins_at, begins_at + SECONDS]))
    lags = sorted(heard.pop("lags"))
    if not lags:
        raise SystemExit("Nothing was heard.")
    return {
        **heard,
        "received": len(lags),
        "p50_ms": round(lags[len(lags) // 2] * 1000, 1),
        "p99_ms": round(lags[int(len(lags) * 0.99)] * 1000, 1),
        "worst_ms": round(lags[-1] * 1000, 1),
        "opened_seconds": opened_seconds,
    }


def ask(process: "subprocess.Popen[str]", question: Any) -> str:
    """Say something to a process, and return the line that it answers with."""
    say(process, question)
    assert process.stdout is not None
    answer = process.stdout.readline()
    if not answer:
        raise SystemExit(f"{process.args!r} ended before it answered.")
    return answer


def say(process: "subprocess.Popen[str]", message: Any) -> None:
    """Write a line of JSON to a process."""
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


@contextmanager
def program(name: str) -> "Iterator[subprocess.Popen[str]]":
    """Run a module in a process of its own for the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", name],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
