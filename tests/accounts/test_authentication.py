import pytest
from django.test import Client
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.actors import PORTAL, Actor
from accounts.api.permissions import HasRole, HasScope, IsPerson, actor_of
from accounts.models import DataSource
from accounts.roles import Role
from accounts.services import sources
from tests.accounts.conftest import NOW
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__), pytest.mark.usefixtures("now")]
seen: list[Actor] = []


class QueriesView(APIView):
    permission_classes = (IsPerson | HasScope("queries"),)

    def get(self, request):
        seen.append(actor_of(request))
        return Response({})


class ManagersView(APIView):
    permission_classes = (HasRole(Role.MANAGER),)

    def get(self, request):
        return Response({})


class RenameView(APIView):
    permission_classes = (HasScope("readings"),)

    def post(self, request):
        source = request.auth.source
        source.name = "renamed"
        source.save()
        return Response({})


urlpatterns = [
    path("queries", QueriesView.as_view()),
    path("managers", ManagersView.as_view()),
    path("rename", RenameView.as_view()),
    path("", include("energy_portal.urls")),
]


class TestHasScope:
    def test_tells_a_key_that_lacks_it_also_beside_a_rule_for_people(self, api, source_and_key):
        answer = api(source_and_key[1]).get("/queries")

        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")

    def test_admits_a_key_that_has_it_as_its_source(self, api):
        source, key = sources.create_source(name="reader", scopes=["queries"], actor=PORTAL, now=NOW)
        seen.clear()

        assert api(key).get("/queries").status_code == 200
        assert seen == [Actor(source=source)]

    def test_leaves_people_to_the_rule_beside_it(self, api, person):
        seen.clear()

        assert api(user=person).get("/queries").status_code == 200
        assert seen == [Actor(user=person)]

    def test_asks_whoever_brings_nothing_to_log_in(self, api):
        answer = api().get("/queries")

        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


class TestHasRole:
    def test_names_the_roles_to_whoever_lacks_them(self, api, person):
        answer = api(user=person).get("/managers")

        assert (answer.status_code, answer.json()["code"]) == (403, "missing_role")
        assert "manager" in answer.json()["detail"]

    def test_never_admits_a_machine(self, api, source_and_key):
        assert api(source_and_key[1]).get("/managers").status_code == 403


class TestDataSourceAuthentication:
    def test_notes_when_the_key_was_used(self, api, source_and_key):
        api(source_and_key[1]).get("/queries")

        assert source_and_key[0].keys.get().last_used_at == NOW

    def test_leaves_the_history_of_what_a_machine_changes_without_a_person(self, api, source_and_key):
        assert api(source_and_key[1]).post("/rename").status_code == 200

        newest = DataSource.objects.get(name="renamed").history.first()
        assert (newest.name, newest.history_user) == ("renamed", None)

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ep_", "Bearer ep_a b", "Bearer ep_ä_ö", "Basic ep_a_b"])
    def test_refuses_what_is_no_key(self, header):
        answer = APIClient().get("/queries", HTTP_AUTHORIZATION=header)

        assert answer.status_code == 401


class TestAdminDoor:
    def test_locks_after_too_many_failures(self, settings):
        admin = UserFactory(role=Role.ADMIN)
        client = Client()
        for _ in range(settings.AXES_FAILURE_LIMIT):
            client.post("/admin/login/", {"username": admin.email, "password": "something-else"})

        assert client.post("/admin/login/", {"username": admin.email, "password": "x"}).status_code == 429
