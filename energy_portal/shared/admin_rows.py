"""What a list of the admin draws alike in each of its rows, drawn once.

Unfold works a list's headers out anew for each row, and renders a template for each box and each label: more than
half of the time that a list of fifty rows takes.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache, wraps
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from unfold.admin import checkbox
from unfold.templatetags import unfold_list

_PLACE = "row-key"
_result_headers = unfold_list.result_headers
_display_for_label = unfold_list.display_for_label


class Label(tuple[str, str]):
    """The key that colours a label, and its text; where no label is drawn, as on a form, the text stands."""

    def __str__(self) -> str:
        return str(self[1])


def labelled(shown: Callable[..., Any]) -> Callable[..., Any]:
    """Return a column's function that tells its label by a :class:`Label`."""

    @wraps(shown)
    def told(model_admin: Any, row: Any) -> Any:
        value = shown(model_admin, row)
        return Label(value) if isinstance(value, tuple) else value

    return told


def headers_once(row_list: Any) -> Iterator[dict[str, Any]]:
    """Yield a list's headers, worked out when they are asked for first."""
    known = row_list.__dict__.get("_headers")
    if known is None:
        known = row_list._headers = list(_result_headers(row_list))
    return iter(known)


def label_once(value: Any, empty: str, label: Any) -> SafeString:
    """Return a label's HTML, rendered once for each of its texts and colours."""
    if isinstance(value, list) or not isinstance(label, dict) or not all(isinstance(key, str) for key in label):
        return SafeString(_display_for_label(value, empty, label))
    texts = tuple(map(str, value)) if isinstance(value, tuple) else str(value)
    return _label(texts, tuple(label.items()), get_language())


def box_of(key: object) -> SafeString:
    """Return the box that chooses a row."""
    before, after = _box(get_language())
    return format_html("{}{}{}", before, str(key), after)


def draw_alike_once() -> None:
    """Have lists use these; a repeat changes nothing."""
    unfold_list.result_headers = headers_once
    unfold_list.display_for_label = label_once


@lru_cache(maxsize=4096)
def _label(texts: Any, label: tuple[tuple[Any, Any], ...], _language: str | None) -> SafeString:
    return SafeString(_display_for_label(texts, "", dict(label)))


@cache
def _box(_language: str | None) -> tuple[SafeString, SafeString]:
    before, after = str(checkbox.render(ACTION_CHECKBOX_NAME, _PLACE)).split(_PLACE)
    return SafeString(before), SafeString(after)
