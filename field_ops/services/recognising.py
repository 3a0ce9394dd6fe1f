"""What can be read off a photo, where the extra for it is installed: after the commit, in a worker, and only once.

It only ever adds to the risk. Until it is done a request is not approved together with others, only by itself.
"""

from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.actors import PORTAL
from accounts.services import audit
from energy_portal.shared.jobs import enqueue_on_commit
from field_ops.evidence import Reason, in_order, photo_agrees
from field_ops.models import ApprovalRequest, Photo, Risk, Submission
from field_ops.selectors.photos import path_of
from field_ops.services import assignments
from field_ops.services.news import APPROVALS_GROUP, tell
from meters.models import Register

WAITING = "waiting"
_DONE, _NOT_CHECKED, _UNREADABLE = "checked", "not_checked", "unreadable"
_MOST_TEXTS = 20
_LONGEST_TEXT = 40


def is_installed() -> bool:
    """Tell whether photos can be read here."""
    return find_spec("rapidocr") is not None


def ask(submission: Submission) -> str:
    """Have a submission's photo read once its request is committed; returns the state that the request begins with."""
    if submission.register_id is None or not is_installed():
        return _NOT_CHECKED
    enqueue_on_commit("field_ops.tasks.compare_photo", submission_id=submission.pk)
    return WAITING


def is_being_read(request: ApprovalRequest) -> bool:
    """Tell whether a request's photo has not been read yet."""
    return bool(request.evidence.get("ocr", {}).get("state") == WAITING)


def compare_photo(*, submission_id: UUID, now: datetime) -> str:
    """Read a submission's photo and keep what it says beside the value; returns what became of it.

    A photo that says something else raises the risk of a request that waits.
    """
    photo = Photo.objects.filter(submission=submission_id).select_related("submission__register", "submission__meter")
    found = photo.first()
    if found is None:
        return _NOT_CHECKED
    register, value = found.submission.register, found.submission.value
    if register is None or value is None:
        return _NOT_CHECKED
    return _keep(found.submission, _seen(found, register, value), now)


def _seen(photo: Photo, register: Register, value: Decimal) -> dict[str, Any]:
    """Return what a photo says, ready for JSON; a picture that the library chokes on says nothing."""
    try:
        texts = [text[:_LONGEST_TEXT] for text in texts_on(path_of(photo))][:_MOST_TEXTS]
    except Exception as error:  # noqa: BLE001  the library and its runtime raise whatever they like
        return {"state": _UNREADABLE, "agrees": None, "texts": [], "error": type(error).__name__}
    agrees = photo_agrees(
        texts,
        value=value,
        digits=register.digits,
        decimals=register.decimals,
        serial=photo.submission.meter.serial,
    )
    return {"state": _DONE, "agrees": agrees, "texts": texts}


@transaction.atomic
def _keep(submission: Submission, seen: dict[str, Any], now: datetime) -> str:
    assignments.lock_work(submission.assignment_id)
    Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    request: ApprovalRequest = ApprovalRequest.objects.select_for_update(of=("self",)).get(submission=submission)
    request.evidence = {**request.evidence, "ocr": seen}
    waits = request.status in (ApprovalRequest.Status.PENDING, ApprovalRequest.Status.UNDER_REVIEW)
    if seen["agrees"] is False and waits:
        _raise_risk(request, now)
    request.save()
    tell(APPROVALS_GROUP)
    return str(seen["state"])


def _raise_risk(request: ApprovalRequest, now: datetime) -> None:
    reasons = {*map(Reason, request.risk_reasons), Reason.PHOTO_READS_DIFFERENTLY}
    request.risk_reasons = list(in_order(reasons))
    request.risk, request.levels_needed, request.is_audited = Risk.HIGH, 2, False
    audit.record(
        action="approval.risk_raised",
        obj=request,
        actor=PORTAL,
        now=now,
        submission=request.submission_id,
        reason=Reason.PHOTO_READS_DIFFERENTLY,
    )


def texts_on(path: Path) -> list[str]:
    """Return the texts that are recognised on a picture."""
    found = _engine()(str(path)).txts
    return list(found or ())


@cache
def _engine() -> Any:
    """Return the recogniser, whose models are loaded once a process."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "warning"})
