"""Whatever fits the published schema is answered, and never with a fault of ours."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from rest_framework_simplejwt.tokens import AccessToken

from tests.factories import AdminFactory, supplied_register

pytestmark = pytest.mark.django_db(transaction=True)

# Pieces of photos go as they are, as bytes of any other kind do.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

thorough_enough = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class TestTheSchema:
    def test_names_paths_that_answer_without_a_fault(self, live_server):
        supplied_register(meter__serial="SG-000123")
        headers = {"Authorization": f"Bearer {AccessToken.for_user(AdminFactory())}"}
        faults, paths = [], set()

        def call(case):
            response = case.call(headers=headers, timeout=30)
            if response.status_code >= 500:
                faults.append(f"{case.method} {case.formatted_path} {case.query} {case.body!r}: {response.text[:300]}")

        schema = schemathesis.openapi.from_url(f"{live_server.url}/api/schema/?format=json")
        for found in schema.get_all_operations():
            operation = found.ok()
            paths.add(operation.path)
            # An event stream has no end, and this server cannot hold one open.
            if not operation.path.endswith("/stream"):
                thorough_enough(given(operation.as_strategy())(call))()

        assert faults == []
        assert {"/register_account", "/receive_meter_reading", "/get_consumption", "/get_last_month_bill"} <= paths
