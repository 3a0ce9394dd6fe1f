"""``Idempotency-Key`` on POST: whoever repeats a call gets the answer of the first, and nothing happens twice."""

import hashlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import calling_source
from accounts.services.idempotency import Answer, claim
from energy_portal.shared import strict_json
from energy_portal.shared.callers import client_address
from energy_portal.shared.errors import Invalid

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any text of up to 200 characters; a repeat of the call with it gets the first answer again for a day.",
)
_LONGEST_KEY = 200


class BadIdempotencyKey(Invalid):
    """The header is empty, too long, or not printable ASCII."""

    code = "invalid_idempotency_key"
    status = 400


class IdempotentCreate(APIView):
    """A view whose POST is carried out once a key.

    The call and the record of its answer are one transaction. An answer is kept when the view returns it, refusals
    among them; what ends in an exception leaves nothing behind and may be tried again.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the POST handler of this one request run under its key."""
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or key is None:
            super().initial(request, *args, **kwargs)
            return
        # Before anything reads the stream, while it can still be read whole.
        body_hash = hashlib.sha256(request._request.body).hexdigest()
        super().initial(request, *args, **kwargs)
        if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
            raise BadIdempotencyKey(f"An Idempotency-Key is 1 to {_LONGEST_KEY} printable ASCII characters.")
        view: Any = self
        view.post = partial(_once, view.post, key, body_hash)


def _once(
    handler: Callable[..., Response], key: str, body_hash: str, request: Request, *args: Any, **kwargs: Any
) -> Response:
    with claim(caller=_caller(request), key=key, path=request.path[:200], body_hash=body_hash) as held:
        if held.answer is not None:
            return _again(held.answer)
        response = handler(request, *args, **kwargs)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            held.abandon()
        else:
            body = strict_json.dumps(response.data).decode()
            held.give(Answer(response.status_code, body, response.headers.get("Location", "")))
        return response


def _again(answer: Answer) -> Response:
    headers = {"Location": answer.location} if answer.location else None
    return Response(strict_json.loads(answer.body.encode()), status=answer.status, headers=headers)


def _caller(request: Request) -> str:
    source = calling_source(request)
    if source is not None:
        return source.pk
    if request.user and request.user.is_authenticated:
        return f"user:{request.user.pk}"
    return f"address:{client_address(request._request)}"
