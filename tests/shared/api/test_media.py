from datetime import UTC, datetime
from decimal import Decimal

from django.test import RequestFactory
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from energy_portal.shared.api import ProblemAwareJSONRenderer, SafeCSVRenderer


class LineOut(serializers.Serializer):
    at = serializers.DateTimeField()
    kwh = serializers.DecimalField(max_digits=12, decimal_places=3)
    amount = serializers.DecimalField(max_digits=12, decimal_places=2, coerce_to_string=True)
    note = serializers.CharField()


LINES = [
    {"at": datetime(2025, 1, 1, tzinfo=UTC), "kwh": Decimal("1.500"), "amount": Decimal("-0.40"), "note": "=1+1"},
    {"at": datetime(2025, 1, 2, tzinfo=UTC), "kwh": Decimal("2.000"), "amount": Decimal("0.50"), "note": "fine"},
]


class LinesView(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)

    def get(self, request):
        return Response({"results": LineOut(LINES, many=True).data, "next": None})


def fetch(path, view=LinesView):
    return view.as_view()(RequestFactory().get(path)).render()


class TestProblemAwareJSONRenderer:
    def test_writes_energy_as_a_number_and_money_as_a_string(self):
        response = fetch("/lines")

        assert response["Content-Type"] == "application/json"
        assert b'"kwh":1.500,"amount":"-0.40"' in response.content

    def test_writes_nothing_for_no_content(self):
        assert ProblemAwareJSONRenderer().render(None) == b""

    def test_leaves_nothing_of_the_answer_for_the_collector(self):
        assert fetch("/lines").data is None


class TestSafeCSVRenderer:
    def test_writes_the_rows_of_a_page_as_a_file(self):
        response = fetch("/api/v1/lines?format=csv")

        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"] == 'attachment; filename="lines.csv"'
        header, first, second = response.content.decode("utf-8-sig").splitlines()
        assert header == "at,kwh,amount,note"
        assert first == "2025-01-01T08:00:00+08:00,1.500,-0.40,'=1+1"
        assert second == "2025-01-02T08:00:00+08:00,2.000,0.50,fine"

    def test_writes_the_columns_that_the_view_names(self):
        class Named(LinesView):
            csv_columns = ("note", "kwh")
            csv_name = "bill-lines"

        response = fetch("/lines?format=csv", Named)

        assert response["Content-Disposition"] == 'attachment; filename="bill-lines.csv"'
        assert response.content.decode("utf-8-sig").splitlines()[:2] == ["note,kwh", "'=1+1,1.500"]

    def test_writes_a_nested_value_as_json_in_one_cell(self):
        rows = [{"id": 1, "tags": ["a", "b"]}, {"id": 2, "more": True}]

        text = SafeCSVRenderer().render(rows).decode("utf-8-sig")

        assert text.splitlines() == ["id,tags,more", '1,"[""a"",""b""]",', "2,,true"]

    def test_does_not_let_a_path_name_the_file(self):
        response = fetch('/x/a"%0d%0ab;?format=csv')

        assert response["Content-Disposition"] == 'attachment; filename="ab.csv"'

    def test_is_only_given_where_a_view_offers_it(self):
        class WithoutTables(LinesView):
            renderer_classes = (JSONRenderer,)

        assert fetch("/lines?format=csv", WithoutTables).status_code == 404
