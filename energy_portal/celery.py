"""The Celery application that workers and beat run."""

import os
import signal

from celery import Celery
from celery.signals import worker_process_init, worker_shutting_down

from energy_portal.embedded.parent import follow

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.development")

_ORPHAN_SECONDS = 8
_own_pid, _parent_pid = os.getpid(), os.getppid()

app = Celery("energy_portal")
# An app is current in the thread that made it; requests are served by others.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_shutting_down.connect
def end_without_a_parent(**_kwargs: object) -> None:
    """Have the kernel end a worker that waits for its tasks when nobody is left who would; they are delivered again."""
    if os.getppid() != _parent_pid:
        signal.alarm(_ORPHAN_SECONDS)


@worker_process_init.connect
def follow_worker(**_kwargs: object) -> None:
    """End a process of the pool with its worker, also in the middle of a task."""
    if os.getpid() != _own_pid:
        follow(_own_pid, signal.SIGKILL)
