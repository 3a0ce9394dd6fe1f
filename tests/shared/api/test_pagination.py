import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from energy_portal.shared.api import KeysetPagination
from energy_portal.shared.api.pagination import BadCursor, BadPageSize

pytestmark = pytest.mark.django_db


class ByName:
    ordering = ("name",)


class ByNameDown:
    ordering = ("-name",)


def page_of(queryset, url="/groups", view=ByName):
    pagination = KeysetPagination()
    rows = pagination.paginate_queryset(queryset, Request(APIRequestFactory().get(url)), view)
    return rows, pagination.get_paginated_response([row.pk for row in rows]).data


def walk(queryset, size, view, link="next", url=None):
    url = url or f"/groups?page_size={size}"
    pages = []
    while url:
        rows, data = page_of(queryset, url, view)
        pages.append(rows)
        url = data[link]
    return pages


def cursor_of(url):
    return parse_qs(urlsplit(url).query)["cursor"][0]


@pytest.fixture
def groups():
    return Group.objects.bulk_create(Group(name=f"group {n:02d}") for n in range(7))


class TestKeysetPagination:
    @pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8])
    @pytest.mark.parametrize("view", [ByName, ByNameDown])
    def test_shows_every_row_once_and_in_order(self, groups, size, view):
        seen = [row.name for page in walk(Group.objects.all(), size, view) for row in page]

        assert seen == sorted((group.name for group in groups), reverse=view is ByNameDown)

    @pytest.mark.parametrize("size", [1, 3, 7])
    def test_leads_back_the_way_it_came(self, groups, size):
        there = walk(Group.objects.all(), size, ByName)
        last = page_of(Group.objects.all(), f"/groups?page_size={size}")[1]
        while last["next"]:
            url = last["next"]
            last = page_of(Group.objects.all(), url)[1]
        back = walk(Group.objects.all(), size, ByName, "previous", url) if len(there) > 1 else there

        assert [row.pk for page in reversed(back) for row in page] == [row.pk for page in there for row in page]

    def test_neither_skips_nor_repeats_while_rows_come_in(self, groups):
        _, first = page_of(Group.objects.all(), "/groups?page_size=3")
        Group.objects.create(name="group 00 and a half")

        rows, _ = page_of(Group.objects.all(), first["next"])

        assert [row.name for row in rows] == ["group 03", "group 04", "group 05"]

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(size=st.integers(1, 9), descending=st.booleans())
    def test_breaks_ties_by_the_key(self, size, descending):
        permissions = Permission.objects.order_by(
            "-content_type__app_label" if descending else "content_type__app_label"
        )

        seen = [row.pk for page in walk(permissions.filter(codename__startswith="add"), size, None) for row in page]

        assert len(seen) == len(set(seen)) == Permission.objects.filter(codename__startswith="add").count()

    def test_costs_one_query_however_deep(self, groups, django_assert_num_queries):
        _, first = page_of(Group.objects.all(), "/groups?page_size=3")

        with django_assert_num_queries(1):
            page_of(Group.objects.all(), first["next"])

    def test_keeps_the_filters_of_its_url(self, groups):
        _, data = page_of(Group.objects.all(), "/groups?page_size=3&region=west")

        assert "region=west" in data["next"]

    def test_links_in_its_header_too(self, groups):
        pagination = KeysetPagination()
        pagination.paginate_queryset(Group.objects.all(), Request(APIRequestFactory().get("/g?page_size=3")), ByName)

        response = pagination.get_paginated_response([])

        assert response["Link"] == f'<{response.data["next"]}>; rel="next"'

    def test_cuts_a_page_to_the_largest_and_fills_it_with_fifty_unless_told(self):
        Group.objects.bulk_create(Group(name=f"group {n:04d}") for n in range(501))

        assert len(page_of(Group.objects.all(), "/groups?page_size=999999")[0]) == 500
        assert len(page_of(Group.objects.all())[0]) == 50

    def test_gives_a_file_more_rows_at_once(self):
        Group.objects.bulk_create(Group(name=f"group {n:04d}") for n in range(501))
        request = Request(APIRequestFactory().get("/groups?format=csv"))
        request.accepted_renderer = type("Table", (), {"format": "csv"})

        assert len(KeysetPagination().paginate_queryset(Group.objects.all(), request, ByName)) == 501

    @pytest.mark.parametrize("size", ["0", "-1", "abc", "1.5", "", "9999999999", "\u0661"])
    def test_refuses_a_size_that_is_none(self, size):
        with pytest.raises(BadPageSize):
            page_of(Group.objects.all(), f"/groups?page_size={size}")

    @pytest.mark.parametrize(
        "document",
        [
            "garbage",
            "[]",
            "{}",
            '[["name", "pk"], ["a"], false]',
            '[["name", "pk"], ["a", "not a key"], false]',
            '[["name", "pk"], ["a", null], false]',
            '[["name", "pk"], ["a", [1]], false]',
            '[["password", "pk"], ["a", 1], false]',
            '[["name", "pk"], ["a", 1], 0]',
            '[["name", "pk"], ["a\\u0000", 1], false]',
        ],
    )
    def test_refuses_a_cursor_that_it_never_gave_out(self, groups, document):
        cursor = base64.urlsafe_b64encode(document.encode()).decode()

        with pytest.raises(BadCursor):
            page_of(Group.objects.all(), f"/groups?cursor={cursor}")

    @pytest.mark.parametrize("cursor", ["%00", "%C3%BC", "!!!", "a"])
    def test_refuses_a_cursor_that_is_no_text_of_ours(self, cursor):
        with pytest.raises(BadCursor):
            page_of(Group.objects.all(), f"/groups?cursor={cursor}")

    def test_refuses_the_cursor_of_another_order(self, groups):
        _, data = page_of(Group.objects.all(), "/groups?page_size=3", ByNameDown)

        with pytest.raises(BadCursor):
            page_of(Group.objects.all(), f"/groups?cursor={cursor_of(data['next'])}")

    def test_carries_only_the_values_of_the_order(self, groups):
        rows, data = page_of(Group.objects.all(), "/groups?page_size=3")
        cursor = cursor_of(data["next"])

        document = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))

        assert document == [["name", "pk"], [rows[-1].name, rows[-1].pk], False]
