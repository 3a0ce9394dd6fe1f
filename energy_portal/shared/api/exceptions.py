"""Every exception that leaves an API view, as a problem document."""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelInvalid
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.response import Response

from energy_portal.shared.errors import DomainError, ItemError
from energy_portal.shared.problems import PROBLEM_TYPE, TOO_LARGE, problem

logger = logging.getLogger(__name__)

_WHOLE = "non_field_errors"
_DATABASE_RETRY_SECONDS = 2


@dataclass(frozen=True)
class _Answer:
    status: int
    code: str
    detail: str
    errors: tuple[ItemError, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after_seconds: float | None = None
    challenge: str | None = None


def problem_details(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Answer any exception with a problem document; what nobody expected is logged and tells the caller nothing."""
    request = context["request"]
    answer = _answer(exc)
    if _answer.dispatch(type(exc)) is _answer.dispatch(object):
        logger.error("%s %s failed", request.method, request.path, exc_info=exc)
        got_request_exception.send(sender=problem_details, request=request)
    document = problem(
        status=answer.status,
        code=answer.code,
        detail=answer.detail,
        instance=request.path,
        errors=answer.errors,
        extra=answer.extra,
    )
    response = Response(document, status=answer.status, content_type=PROBLEM_TYPE)
    if answer.retry_after_seconds is not None:
        response["Retry-After"] = str(max(1, math.ceil(answer.retry_after_seconds)))
    if answer.challenge:
        response["WWW-Authenticate"] = answer.challenge
    return response


@singledispatch
def _answer(exc: Exception) -> _Answer:
    return _Answer(500, "internal_error", "Something went wrong on our side.")


@_answer.register
def _(exc: DomainError) -> _Answer:
    return _Answer(exc.status, exc.code, exc.detail, exc.errors, exc.extra, getattr(exc, "retry_after_seconds", None))


@_answer.register
def _(exc: APIException) -> _Answer:
    detail: Any = exc.detail
    code: Any = exc.get_codes()
    if isinstance(detail, dict):
        code, detail = detail.get("code", exc.default_code), detail.get("detail", exc.default_detail)
    return _Answer(
        exc.status_code,
        str(code),
        str(detail),
        retry_after_seconds=getattr(exc, "wait", None),
        challenge=getattr(exc, "auth_header", None),
    )


@_answer.register
def _(exc: ValidationError) -> _Answer:
    return _invalid(tuple(_items(exc.detail)))


@_answer.register
def _(exc: ModelInvalid) -> _Answer:
    by_field = exc.error_dict if hasattr(exc, "error_dict") else {_WHOLE: exc.error_list}
    return _invalid(
        tuple(
            ItemError(error.code or "invalid", message, field=None if name in ("__all__", _WHOLE) else name)
            for name, errors in by_field.items()
            for error in errors
            for message in error.messages
        )
    )


@_answer.register
def _(exc: Http404) -> _Answer:
    return _Answer(404, "not_found", "Nothing is to be found here.")


@_answer.register
def _(exc: PermissionDenied) -> _Answer:
    return _Answer(403, "permission_denied", "You may not do this.")


@_answer.register
def _(exc: SuspiciousOperation) -> _Answer:
    return _Answer(400, "bad_request", "The request could not be read.")


@_answer.register
def _(exc: RequestDataTooBig) -> _Answer:
    return _Answer(413, "body_too_large", TOO_LARGE)


@_answer.register
def _(exc: UnreadablePostError) -> _Answer:
    return _Answer(400, "body_incomplete", "The body ended before it was whole.")


@_answer.register
def _(exc: DataError) -> _Answer:
    return _Answer(
        400, "invalid_data", "A value cannot be stored: it is out of range or holds a character that may not be."
    )


@_answer.register
def _(exc: IntegrityError) -> _Answer:
    logger.warning("A constraint refused what no service had checked", exc_info=exc)
    return _Answer(409, "conflict", "It contradicts what is already stored.")


@_answer.register(OperationalError)
@_answer.register(InterfaceError)
def _(exc: Exception) -> _Answer:
    logger.warning("The database did not answer", exc_info=exc)
    return _Answer(
        503, "unavailable", "The database cannot answer just now.", retry_after_seconds=_DATABASE_RETRY_SECONDS
    )


def _invalid(errors: tuple[ItemError, ...]) -> _Answer:
    detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} things are wrong with what was sent."
    return _Answer(400, "invalid", detail, errors)


def _items(detail: Any, index: int | None = None, path: tuple[str, ...] = ()) -> Iterator[ItemError]:
    """Flatten nested errors; ``index`` is the first row number on the way, ``field`` the dotted names."""
    if isinstance(detail, ErrorDetail):
        yield ItemError(detail.code or "invalid", str(detail), index=index, field=".".join(path) or None)
    elif isinstance(detail, Mapping):
        for name, inner in detail.items():
            if isinstance(name, int):
                yield from _items(inner, name if index is None else index, path)
            else:
                yield from _items(inner, index, path if name == _WHOLE else (*path, str(name)))
    else:
        for number, inner in enumerate(detail):
            row = number if index is None and not isinstance(inner, ErrorDetail) else index
            yield from _items(inner, row, path)
