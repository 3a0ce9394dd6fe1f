"""The photo of a submission over the API: sent by who brought it, seen by who may see it."""

import hashlib

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.roles import Role, Scope
from field_ops.models import Photo, Submission
from field_ops.selectors.photos import path_of, thumbnail_path_of
from meters.models import RegionManager
from tests.factories import ManagerFactory, RegionFactory, UserFactory
from tests.field_ops.factories import AgentUserFactory, ReceivingFactory
from tests.field_ops.photo_files import jpeg
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

PHOTO = jpeg()
SIZE = len(PHOTO)
DIGEST = hashlib.sha256(PHOTO).hexdigest()
OCTETS = "application/offset+octet-stream"


@pytest.fixture(autouse=True)
def upload_dir(settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path / "media"


@pytest.fixture
def submission():
    return ReceivingFactory()


@pytest.fixture
def agent(submission) -> APIClient:
    return client_of(submission.agent.user)


def url(submission) -> str:
    return f"/api/v1/submissions/{submission.pk}/photo"


def begin(client, submission, *, size=SIZE, sha256=DIGEST):
    return client.post(url(submission), {"size": size, "sha256": sha256}, format="json")


def piece(client, submission, offset, data, **headers):
    headers = {"Upload-Offset": str(offset), **headers}
    return client.patch(url(submission), data=data, content_type=OCTETS, headers=headers)


def send(client, submission):
    begin(client, submission)
    return piece(client, submission, 0, PHOTO)


class TestSending:
    def test_goes_on_where_it_stopped(self, agent, submission):
        assert begin(agent, submission).json() == {"received": 0, "size": len(PHOTO), "done": False}
        first = piece(agent, submission, 0, PHOTO[:4_000])
        assert first.json() == {"received": 4_000, "size": len(PHOTO), "done": False}
        assert begin(agent, submission).json()["received"] == 4_000

        last = piece(agent, submission, 4_000, PHOTO[4_000:])

        assert last.status_code == 200
        assert last.json() == {"received": len(PHOTO), "size": len(PHOTO), "done": True}
        submission.refresh_from_db()
        assert submission.status == Submission.Status.IN_REVIEW
        assert piece(agent, submission, 4_000, PHOTO[4_000:]).json()["done"] is True
        assert begin(agent, submission).json()["done"] is True

    def test_is_told_how_far_it_is(self, agent, submission):
        assert agent.head(url(submission)).status_code == 404
        begin(agent, submission)
        piece(agent, submission, 0, PHOTO[:10])

        answer = agent.head(url(submission))

        assert (answer["Upload-Offset"], answer["Upload-Length"]) == ("10", str(len(PHOTO)))
        assert answer.content == b""

    def test_is_told_where_a_piece_belongs(self, agent, submission):
        begin(agent, submission)

        answer = piece(agent, submission, 5, b"x")

        assert answer.status_code == 409
        assert (answer.json()["code"], answer.json()["received"]) == ("wrong_offset", 0)

    @pytest.mark.parametrize("offset", ["", "-1", "1.5", "x", "9" * 11, "٣"])
    def test_needs_an_offset(self, agent, submission, offset):
        begin(agent, submission)

        answer = agent.generic("PATCH", url(submission), b"x", content_type=OCTETS, HTTP_UPLOAD_OFFSET=offset)

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_offset")

    def test_takes_a_piece_only_as_bytes(self, agent, submission):
        begin(agent, submission)

        as_json = agent.patch(url(submission), {"a": 1}, format="json", headers={"Upload-Offset": "0"})
        as_form = agent.patch(url(submission), b"a=1", content_type="multipart/form-data; boundary=x")

        assert as_json.status_code == as_form.status_code == 415 or as_form.status_code == 400

    def test_refuses_a_piece_that_is_too_large(self, agent, submission):
        begin(agent, submission, size=5_000_000)

        answer = piece(agent, submission, 0, bytes(2 * 1024 * 1024 + 1))

        assert (answer.status_code, answer.json()["code"]) == (422, "bad_piece")

    @pytest.mark.parametrize(
        ("size", "sha256", "status"),
        [
            (0, DIGEST, 400),
            (-1, DIGEST, 400),
            ("many", DIGEST, 400),
            (10, "abc", 400),
            (10, DIGEST + "\n0", 400),
            (10, "../" + DIGEST[3:], 400),
            (10 * 2**20 + 1, DIGEST, 413),
        ],
    )
    def test_refuses_what_cannot_be(self, agent, submission, size, sha256, status):
        assert begin(agent, submission, size=size, sha256=sha256).status_code == status

    def test_is_told_why_a_photo_is_refused(self, agent, submission):
        page = b"<html><script>alert(1)</script>"
        begin(agent, submission, size=len(page), sha256=hashlib.sha256(page).hexdigest())

        answer = piece(agent, submission, 0, page)

        assert (answer.status_code, answer.json()["code"]) == (422, "photo_not_accepted")
        assert piece(agent, submission, 0, page).json()["code"] == "no_upload"
        assert send(agent, submission).json()["done"] is True

    def test_is_for_who_brought_the_submission(self, submission):
        def codes(client):
            answers = [begin(client, submission), piece(client, submission, 0, b"x"), client.head(url(submission))]
            return {answer.status_code for answer in answers}

        assert codes(client_of(AgentUserFactory())) == {404}
        assert codes(client_of(ManagerFactory())) == codes(client_of(UserFactory(role=Role.ADMIN))) == {403}
        assert codes(client_of(UserFactory())) == {403}
        assert codes(client_of(scopes=[Scope.READINGS])) == {403}
        assert codes(client_of()) == {401}

    def test_needs_the_token_of_the_page_in_a_session(self, submission):
        client = APIClient(enforce_csrf_checks=True)
        client.force_login(submission.agent.user)

        assert begin(client, submission).json()["code"] == "permission_denied"

        client.cookies["csrftoken"] = token = "a" * 32
        headers = {"X-CSRFToken": token}
        begun = client.post(url(submission), {"size": len(PHOTO), "sha256": DIGEST}, format="json", headers=headers)
        assert begun.status_code == 200
        assert piece(client, submission, 0, PHOTO).status_code == 403
        assert piece(client, submission, 0, PHOTO, **headers).json()["done"] is True


class TestLooking:
    @pytest.fixture(autouse=True)
    def photo(self, agent, submission):
        send(agent, submission)
        self.photo = Photo.objects.get()

    def test_shows_the_photo_or_its_thumbnail(self, agent, submission):
        whole, small = agent.get(url(submission)), agent.get(url(submission) + "?size=thumbnail")

        assert whole.getvalue() == path_of(self.photo).read_bytes()
        assert small.getvalue() == thumbnail_path_of(self.photo).read_bytes()
        assert whole["Content-Length"] == str(self.photo.stored_bytes)
        assert whole["ETag"] != small["ETag"]
        for answer in (whole, small):
            assert answer["Content-Type"] == "image/jpeg"
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert answer["Content-Disposition"] == "inline"
            assert answer["Cache-Control"] == "private, no-cache"

    def test_is_not_sent_again_to_who_has_it(self, agent, submission):
        tag = agent.get(url(submission))["ETag"]

        again = agent.get(url(submission), headers={"If-None-Match": tag})

        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert again["Cache-Control"] == "private, no-cache"

    @pytest.mark.parametrize("accept", ["image/jpeg", "image/avif,image/webp,image/*,*/*;q=0.8", "*/*"])
    def test_answers_who_asks_for_pictures(self, agent, submission, accept):
        assert agent.get(url(submission), headers={"Accept": accept}).status_code == 200
        missing = agent.get(url(ReceivingFactory()), headers={"Accept": accept})
        assert (missing.status_code, missing["Content-Type"]) == (404, "application/problem+json")
        assert missing.json()["code"] == "no_such_photo"

    def test_is_for_those_who_see_the_submission(self, submission):
        there, elsewhere, everywhere = ManagerFactory(), ManagerFactory(), ManagerFactory()
        RegionManager.objects.create(user=there, region=submission.meter.region)
        RegionManager.objects.create(user=elsewhere, region=RegionFactory())

        def status(client):
            return client.get(url(submission)).status_code

        assert status(client_of(submission.agent.user)) == 200
        assert status(client_of(there)) == status(client_of(everywhere)) == 200
        assert status(client_of(UserFactory(role=Role.ADMIN))) == 200
        assert status(client_of(elsewhere)) == status(client_of(AgentUserFactory())) == 404
        assert status(client_of(UserFactory())) == status(client_of(UserFactory(role=Role.OPERATOR))) == 403
        assert status(client_of(scopes=[Scope.READINGS])) == 403
        assert status(Client()) == 401

    def test_asks_one_question(self, agent, submission, django_assert_num_queries):
        with django_assert_num_queries(1):
            agent.get(url(submission))

    def test_takes_no_other_size(self, agent, submission):
        assert agent.get(url(submission) + "?size=../../etc/passwd").status_code == 400

    def test_says_when_the_file_is_missing(self, agent, submission):
        path_of(self.photo).unlink()

        answer = agent.get(url(submission))

        assert (answer.status_code, answer.json()["code"]) == (404, "photo_missing")

    def test_lies_at_no_other_address(self, agent, submission):
        for path in (f"/media/photos/{self.photo.name}", f"/photos/{self.photo.name}", f"/static/{self.photo.name}"):
            assert agent.get(path).status_code == 404
