"""The catalogues of what the pages say: compiled ones agree with their sources, and speak."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation import get_language
from django.utils.translation.template import templatize

CATALOGUES = sorted(Path(settings.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/*.po"))
# What customers read: all pages but those of staff, and the code that speaks on them. Mails and documents stay English.
PAGES = [
    path
    for path in sorted((settings.BASE_DIR / "templates").rglob("*.html"))
    if not {"admin", "batteries", "drf_spectacular", "field_ops", "mail"} & set(path.parts)
]
CODE = [
    path
    for place in (
        *("accounts/models", "accounts/pages", "accounts/services", "billing/pages", "billing/rating"),
        *("billing/selectors", "billing/services/disputes.py", "meters/devices/services/commands.py"),
    )
    for path in ([settings.BASE_DIR / place] if place.endswith(".py") else (settings.BASE_DIR / place).rglob("*.py"))
]
_STRING = r"""u?('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_CALL = re.compile(rf"\bn?(p?)gettext\({_STRING}(?:, {_STRING})?")
_PLACE = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+>")
_TEXT = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) ((?:".*"\n?)+)', re.MULTILINE)


def entries(source: str) -> list[dict[str, str]]:
    """Read a catalogue's entries: blocks of keywords, each with quoted text over one or more lines."""
    found = []
    for block in re.split(r"\n\s*\n", source):
        kept = "\n".join(line for line in block.splitlines() if not line.startswith("#")) + "\n"
        parts = {
            key: "".join(ast.literal_eval(line) for line in text.splitlines()) for key, text in _TEXT.findall(kept)
        }
        if "msgid" in parts:
            found.append(parts)
    return found


def messages_of_page(source: str) -> Iterator[str]:
    """Yield what a template says, as catalogues name it."""
    for with_context, first, second in _CALL.findall(templatize(source)):
        text = ast.literal_eval(first)
        yield f"{text}\x04{ast.literal_eval(second)}" if with_context else text


def messages_of_code(source: str) -> Iterator[str]:
    """Yield what Python code marks, as catalogues name it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            said = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            name = node.func.id.removesuffix("_lazy").removesuffix("_noop")
            if said and name in {"_", "gettext", "ngettext"}:
                yield said[0]
            elif len(said) > 1 and name in {"pgettext", "npgettext"}:
                yield "\x04".join(said[:2])


def test_there_is_a_catalogue_of_every_language_but_english():
    names = {path.parent.parent.name.lower().replace("_", "-") for path in CATALOGUES}

    assert names == {code for code, _ in settings.LANGUAGES} - {"en"}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parent.parent.name)
class TestCatalogue:
    def test_is_compiled_from_what_its_source_says(self, path):
        with path.with_suffix(".mo").open("rb") as file:
            compiled = gettext.GNUTranslations(file)._catalog

        written = {}
        for entry in entries(path.read_text()):
            key = f"{entry['msgctxt']}\x04{entry['msgid']}" if "msgctxt" in entry else entry["msgid"]
            plural = [entry[name] for name in sorted(entry) if name.startswith("msgstr[")]
            told = {(key, n): text for n, text in enumerate(plural)} if plural else {key: entry["msgstr"]}
            written |= {each: text for each, text in told.items() if text}

        assert compiled == written

    def test_keeps_the_places_of_names_and_numbers(self, path):
        for entry in entries(path.read_text()):
            for name, text in entry.items():
                if name.startswith("msgstr") and text and entry["msgid"]:
                    said = entry.get("msgid_plural", entry["msgid"])
                    assert set(_PLACE.findall(text)) == set(_PLACE.findall(said)), text

    def test_has_all_that_customers_read(self, path):
        said = {message for page in PAGES for message in messages_of_page(page.read_text())}
        said |= {message for module in CODE for message in messages_of_code(module.read_text())}

        known = {
            "\x04".join((entry["msgctxt"], entry["msgid"])) if "msgctxt" in entry else entry["msgid"]
            for entry in entries(path.read_text())
            if any(text for name, text in entry.items() if name.startswith("msgstr"))
        }

        assert len(said) > 500
        assert sorted(said - known) == []


class TestSpoken:
    def test_is_found_where_a_browser_asks_for_it(self, db):
        page = Client().get("/login", headers={"accept-language": "zh-CN"}).content.decode()

        assert '<html lang="zh-hans"' in page
        assert "登录" in page

    def test_ends_with_the_request(self, db):
        Client().get("/login", headers={"accept-language": "zh-CN"})

        assert get_language() == "en"
