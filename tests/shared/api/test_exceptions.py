import json

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelInvalid
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.test import RequestFactory
from rest_framework import exceptions as drf
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.views import APIView

from energy_portal.shared import errors
from energy_portal.shared.api import SafeCSVRenderer, StrictJSONParser
from energy_portal.shared.errors import ItemError


class Anyone(BaseAuthentication):
    def authenticate(self, request):
        return None

    def authenticate_header(self, request):
        return "Bearer"


class OpenView(APIView):
    authentication_classes = (Anyone,)
    permission_classes = ()
    throttle_classes = ()


def answer_to(error, method="get", **options):
    class View(OpenView):
        def get(self, request):
            raise error

    request = getattr(RequestFactory(raise_request_exception=False), method)("/api/v1/things", **options)
    return View.as_view()(request).render()


class ReadingIn(serializers.Serializer):
    meter_id = serializers.CharField()
    reading = serializers.DecimalField(max_digits=12, decimal_places=3)


class BatchIn(serializers.Serializer):
    readings = ReadingIn(many=True)


def errors_of(serializer):
    with pytest.raises(drf.ValidationError) as refusal:
        serializer.is_valid(raise_exception=True)
    return json.loads(answer_to(refusal.value).content)


class TestProblemDetails:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (errors.Invalid("No."), 422, "invalid"),
            (errors.NotFound("No."), 404, "not_found"),
            (errors.Forbidden("No."), 403, "forbidden"),
            (errors.Conflict("No.", code="meter_taken"), 409, "meter_taken"),
            (errors.Throttled("Later."), 429, "throttled"),
            (errors.Unavailable("Later."), 503, "unavailable"),
            (errors.DomainError("No.", code="tea", status=418), 418, "tea"),
            (drf.ValidationError("No."), 400, "invalid"),
            (drf.ParseError(), 400, "parse_error"),
            (drf.NotAuthenticated(), 401, "not_authenticated"),
            (drf.AuthenticationFailed(), 401, "authentication_failed"),
            (drf.AuthenticationFailed({"detail": "Old.", "code": "token_not_valid"}), 401, "token_not_valid"),
            (drf.PermissionDenied(), 403, "permission_denied"),
            (drf.NotFound(), 404, "not_found"),
            (drf.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
            (drf.NotAcceptable(), 406, "not_acceptable"),
            (drf.UnsupportedMediaType("text/x"), 415, "unsupported_media_type"),
            (drf.Throttled(7), 429, "throttled"),
            (PermissionDenied(), 403, "permission_denied"),
            (Http404("No Meter matches the given query."), 404, "not_found"),
            (ModelInvalid("No."), 400, "invalid"),
            (SuspiciousOperation(), 400, "bad_request"),
            (RequestDataTooBig(), 413, "body_too_large"),
            (UnreadablePostError(), 400, "body_incomplete"),
            (DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), 400, "invalid_data"),
            (IntegrityError("duplicate key"), 409, "conflict"),
            (OperationalError("server closed the connection"), 503, "unavailable"),
            (InterfaceError("the connection is closed"), 503, "unavailable"),
            (ValueError("a secret"), 500, "internal_error"),
        ],
    )
    def test_answers_each_kind_with_its_status_and_code(self, error, status, code):
        response = answer_to(error)

        document = json.loads(response.content)
        assert (response.status_code, document["status"], document["code"]) == (status, status, code)
        assert response["Content-Type"] == "application/problem+json"
        assert document["type"] == "about:blank"
        assert document["instance"] == "/api/v1/things"
        assert document["title"]
        assert document["detail"]

    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (drf.Throttled(6.2), "7"),
            (errors.Throttled("Later.", retry_after_seconds=30), "30"),
            (errors.Unavailable("Full."), "1"),
            (OperationalError(), "2"),
        ],
    )
    def test_says_when_to_come_again(self, error, seconds):
        assert answer_to(error)["Retry-After"] == seconds

    def test_says_how_to_come_in(self):
        assert answer_to(drf.NotAuthenticated())["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("error", [ValueError("a secret"), DataError("a secret"), OperationalError("a secret")])
    def test_tells_nothing_of_what_is_inside(self, error):
        assert b"secret" not in answer_to(error).content

    def test_logs_what_nobody_expected(self, caplog):
        answer_to(ValueError("a secret"))

        assert "GET /api/v1/things failed" in caplog.text
        assert "a secret" in caplog.text

    def test_does_not_log_what_a_rule_refused(self, caplog):
        answer_to(errors.Conflict("No."))

        assert caplog.text == ""

    def test_carries_a_rules_rows_and_further_members_but_keeps_its_own(self):
        error = errors.Invalid(
            "Every one was rejected.",
            errors=[ItemError("off_mark", "10:15", index=2)],
            extra={"stored": 0, "status": "displaced"},
        )

        document = json.loads(answer_to(error).content)

        assert document["errors"] == [{"index": 2, "code": "off_mark", "detail": "10:15"}]
        assert (document["stored"], document["status"]) == (0, 422)

    def test_lists_each_field_that_is_wrong(self):
        document = errors_of(ReadingIn(data={"reading": "abc"}))

        assert document["errors"] == [
            {"field": "meter_id", "code": "required", "detail": "This field is required."},
            {"field": "reading", "code": "invalid", "detail": "A valid number is required."},
        ]

    @pytest.mark.parametrize(
        ("serializer", "field"),
        [
            (lambda rows: ReadingIn(data=rows, many=True), "reading"),
            (lambda rows: BatchIn(data={"readings": rows}), "readings.reading"),
        ],
    )
    def test_says_which_row_is_wrong(self, serializer, field):
        rows = [{"meter_id": "a", "reading": 1}, {"meter_id": "b", "reading": True}]

        document = errors_of(serializer(rows))

        assert document["errors"] == [
            {"index": 1, "field": field, "code": "invalid", "detail": "A valid number is required."}
        ]

    def test_lists_the_fields_of_a_model_that_are_wrong(self):
        error = ModelInvalid({"serial": ModelInvalid("Taken.", code="unique"), "__all__": ["No."]})

        assert json.loads(answer_to(error).content)["errors"] == [
            {"field": "serial", "code": "unique", "detail": "Taken."},
            {"code": "invalid", "detail": "No."},
        ]

    def test_answers_a_client_that_wants_a_table_with_a_problem_document(self):
        class View(OpenView):
            renderer_classes = (SafeCSVRenderer,)

            def get(self, request):
                raise errors.NotFound("No.")

        response = View.as_view()(RequestFactory().get("/x?format=csv")).render()

        assert response["Content-Type"] == "application/problem+json"
        assert json.loads(response.content)["code"] == "not_found"


class TestBodies:
    @staticmethod
    def post(body, content_type="application/json"):
        class View(OpenView):
            parser_classes = (StrictJSONParser,)

            def post(self, request):
                serializer = ReadingIn(data=request.data)
                serializer.is_valid(raise_exception=True)
                raise errors.Conflict("Stored.", extra={"reading": serializer.validated_data["reading"]})

        response = View.as_view()(RequestFactory().post("/r", body, content_type=content_type)).render()
        return response.status_code, response.content

    def test_keep_a_number_as_it_was_written(self):
        status, content = self.post(b'{"meter_id": "a", "reading": 1450.50}')

        assert status == 409
        assert b'"reading":1450.50' in content

    @pytest.mark.parametrize(
        "body", [b"{", b'{"meter_id": "a", "reading": NaN}', b'{"meter_id": "a", "reading": 1e400}', b'"\\u0000"']
    )
    def test_are_refused_when_they_are_not_json(self, body):
        status, content = self.post(body)

        assert (status, json.loads(content)["code"]) == (400, "malformed_json")

    def test_are_refused_when_they_are_something_else(self):
        status, content = self.post(b"<a/>", content_type="text/xml")

        assert (status, json.loads(content)["code"]) == (415, "unsupported_media_type")

    def test_are_refused_when_they_are_too_long(self, settings):
        settings.MAX_BODY_BYTES = 1024 * 1024

        status, content = self.post(b'"' + b"x" * 1024 * 1024 + b'"')

        assert (status, json.loads(content)["code"]) == (413, "body_too_large")
        assert b"At most 1 MiB" in content

    @pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
    def test_are_refused_when_they_are_no_object(self, body):
        status, content = self.post(body)

        assert (status, json.loads(content)["code"]) == (400, "invalid")
