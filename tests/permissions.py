"""Who may what, found by asking: every address, every right and action of the admin, and every websocket."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.contrib import admin
from django.db.models import UUIDField
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

TABLE = Path(__file__).resolve().parent.parent / "docs" / "permissions.csv"
ROLES = ("nobody", "customer", "agent", "manager", "operator", "admin", "source")
FIELDS = ("what", "act", *ROLES)
MAY, LOGIN, NO = "may", "login", "no"

_NONE = {
    "uuid": str(UUID(int=0)),
    "int": "0",
    "str": "none",
    "path": str(UUID(int=0)),
    "slug": "none",
}
_ASKED = ("GET", "POST", "PUT", "PATCH", "DELETE")
_STANDARD = ("_changelist", "_add", "_history", "_delete", "_change", ":None")
_RIGHTS = ("view", "add", "change", "delete")
# Answers to anybody before it asks who it is, or ends the very login that asks.
_LEFT_OUT = {"logout", "admin:logout", "admin:jsi18n"}


@dataclass(frozen=True, order=True)
class Address:
    """A path with something in each of its places, as no row has it, and a method that it takes."""

    route: str
    path: str
    method: str


def addresses() -> list[Address]:
    """Return what the portal answers at, but for the pages that every model of the admin has."""
    found: set[Address] = set()
    for route, path, name, view in _patterns(get_resolver().url_patterns, "", "", ""):
        if name in _LEFT_OUT or (name.startswith("admin:") and name.endswith(_STANDARD)):
            continue
        found |= {Address(route, path, method) for method in _methods(view)}
    return sorted(found)


def _patterns(
    patterns: Iterable[URLPattern | URLResolver], route: str, path: str, space: str
) -> Iterator[tuple[str, str, str, object]]:
    for pattern in patterns:
        if not isinstance(pattern.pattern, RoutePattern):
            continue
        here = route + str(pattern.pattern)
        there = path + _filled(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else space
            yield from _patterns(pattern.url_patterns, here, there, inner)
        else:
            page = getattr(pattern.callback, "model_admin", None)
            if page is not None and not isinstance(page.opts.pk, UUIDField):
                there = there.replace(_NONE["path"], _NONE["int"])
            yield f"/{here}", f"/{there}", f"{space}{pattern.name}", pattern.callback


def _filled(pattern: RoutePattern) -> str:
    text = str(pattern)
    for name, converter in pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        for written in (f"<{kind}:{name}>", f"<{name}>"):
            text = text.replace(written, _NONE[kind])
    return text


def _methods(view: object) -> tuple[str, ...]:
    made = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if made is None:
        return ("GET", "POST")
    acts = getattr(view, "actions", None)
    return tuple(
        method for method in _ASKED if (acts and method.lower() in acts) or (not acts and hasattr(made, method.lower()))
    )


def asked(client: Client, address: Address) -> str:
    """Return how the portal answers somebody at an address; "" where it does not take the method."""
    body = {} if address.method == "GET" else {"data": "{}", "content_type": "application/json"}
    answer = getattr(client, address.method.lower())(address.path, **body)
    if answer.status_code >= 500 and answer.status_code != 503:
        raise AssertionError(f"{address.method} {address.path} answers {answer.status_code}.")
    if answer.status_code == 405:
        return ""
    if answer.status_code == 401 or (answer.status_code == 302 and "login" in answer.headers["Location"]):
        return LOGIN
    return NO if answer.status_code == 403 else MAY


def rights(user: object) -> dict[tuple[str, str], str]:
    """Return what the admin lets somebody do, by model and act."""
    request = RequestFactory().get("/admin/")
    request.user = user
    found = {}
    for model, page in sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        label = model._meta.label
        for right in _RIGHTS:
            found[label, right] = MAY if getattr(page, f"has_{right}_permission")(request) else NO
        may_look = page.has_view_permission(request)
        for name in page._filter_actions_by_permissions(request, page._get_base_actions()) if may_look else ():
            found[label, f"action {name[1]}"] = MAY
    return found


def read_table() -> dict[tuple[str, str], dict[str, str]]:
    """Return the committed table."""
    with TABLE.open(newline="") as file:
        return {(row["what"], row["act"]): {role: row[role] for role in ROLES} for row in csv.DictReader(file)}


def write_column(role: str, found: dict[tuple[str, str], str]) -> None:
    """Write anew what a role may, in the table to be committed."""
    rows = read_table()
    for key in found.keys() | rows.keys():
        rows.setdefault(key, dict.fromkeys(ROLES, ""))[role] = found.get(key, "")
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows((*key, *cells.values()) for key, cells in sorted(rows.items()) if any(cells.values()))
