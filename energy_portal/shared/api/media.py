"""What bodies come in and go out as."""

from collections.abc import Mapping, Sequence
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from energy_portal.shared import strict_json, tables
from energy_portal.shared.problems import TOO_LARGE

_MEBIBYTE = 1024 * 1024


class BodyTooLarge(APIException):
    """A body is longer than ``MAX_BODY_BYTES``."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = TOO_LARGE


class StrictJSONParser(BaseParser):
    """Parse JSON with fractions as Decimal, and refuse whatever JSON does not allow.

    :raises BodyTooLarge: longer than ``MAX_BODY_BYTES``; no more of it than that is read.
    :raises MalformedJSON: see :func:`energy_portal.shared.strict_json.loads`.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise BodyTooLarge(f"{TOO_LARGE} At most {settings.MAX_BODY_BYTES / _MEBIBYTE:g} MiB.")
        return strict_json.loads(body)


class ProblemAwareJSONRenderer(BaseRenderer):
    """Render JSON: a Decimal as a number with its own digits, money as the string that its serializer made of it.

    A problem document keeps the media type that the exception handler gave it.
    """

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        body = b"" if data is None else strict_json.dumps(data)
        response = (renderer_context or {}).get("response")
        if response is not None:
            # It, its view and its request hold each other: a long answer would stay until the collector comes by, which
            # then has thousands of rows to look at while somebody waits.
            response.data = None
        return body


class SafeCSVRenderer(BaseRenderer):
    """Render a list as CSV that a spreadsheet opens safely; an error stays a problem document.

    Columns are the view's ``csv_columns``, otherwise those of the rows in the order in which they appear. A nested
    value is written as JSON. The file is named after the view's ``csv_name``, otherwise after its path.
    """

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        context = renderer_context or {}
        response, view = context.get("response"), context.get("view")
        if data is None:
            return b""
        if response is not None and response.status_code >= 400:
            return strict_json.dumps(data)
        if response is not None:
            response["Content-Disposition"] = f'attachment; filename="{_file_name(context)}.csv"'
        rows = _rows(data)
        columns = getattr(view, "csv_columns", None) or list(dict.fromkeys(name for row in rows for name in row))
        cells = ([_cell(row.get(name)) for name in columns] for row in rows)
        return b"".join(tables.csv_lines(columns, cells, bom=True))


def _rows(data: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(data, Mapping):
        data = data.get("results", [data])
    return list(data)


def _cell(value: Any) -> Any:
    return strict_json.dumps(value).decode() if isinstance(value, (Mapping, list, tuple)) else value


def _file_name(context: Mapping[str, Any]) -> str:
    named = getattr(context.get("view"), "csv_name", None)
    request = context.get("request")
    path = request.path.rstrip("/").rpartition("/")[2] if request is not None else ""
    return named or "".join(letter for letter in path if letter.isalnum() or letter in "-_") or "list"
