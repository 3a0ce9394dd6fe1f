"""The catalogues of what the pages say: compiled ones agree with their sources, and speak."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation import get_language

CATALOGUES = sorted(Path(settings.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/*.po"))
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
                    assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", entry["msgid"])), text


class TestSpoken:
    def test_is_found_where_a_browser_asks_for_it(self, db):
        page = Client().get("/login", headers={"accept-language": "zh-CN"}).content.decode()

        assert '<html lang="zh-hans"' in page
        assert "登录" in page

    def test_ends_with_the_request(self, db):
        Client().get("/login", headers={"accept-language": "zh-CN"})

        assert get_language() == "en"
