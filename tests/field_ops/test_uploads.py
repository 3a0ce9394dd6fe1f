"""Photos that come in pieces: whole or not at all, once, and from whose submission it is."""

import hashlib
import stat
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from accounts.models import AuditEntry
from accounts.roles import Role
from energy_portal.shared.errors import Conflict, DomainError, Unavailable
from field_ops.models import Photo, PhotoUpload, Submission
from field_ops.photos import PhotoRefused, read_photo
from field_ops.selectors.photos import path_of, thumbnail_path_of
from field_ops.services import photos, reviewing, uploads
from tests.factories import UserFactory
from tests.field_ops.factories import AgentUserFactory, ReceivingFactory, SubmissionFactory
from tests.field_ops.photo_files import jpeg, text, tiff, with_exif
from tests.meters.helpers import in_thread

NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)
PHOTO = with_exif(jpeg(), tiff([text(0x0110, "X1")], taken=[text(0x9003, "2025:03:10 10:30:00")]))


@pytest.fixture(autouse=True)
def upload_dir(settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path / "media"
    return settings.UPLOAD_DIR


@pytest.fixture
def submission(db):
    return ReceivingFactory()


def begin(submission, data=PHOTO, *, now=NOW, **changes) -> PhotoUpload:
    asked = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "user": submission.agent.user}
    return uploads.begin(submission_id=submission.pk, now=now, **asked | changes)


def add(submission, offset, piece, *, user=None, now=NOW) -> PhotoUpload:
    return uploads.add_piece(
        submission_id=submission.pk, offset=offset, piece=piece, user=user or submission.agent.user, now=now
    )


def send(submission, data=PHOTO, *, piece=4_096) -> PhotoUpload:
    upload = begin(submission, data)
    while upload.received_bytes < upload.size_bytes:
        upload = add(submission, upload.received_bytes, data[upload.received_bytes :][:piece])
    return upload


def pieces(upload_dir):
    return sorted(path for path in (upload_dir / "pieces").glob("*") if path.is_file())


def stored_files(upload_dir):
    return sorted(path for path in (upload_dir / "photos").rglob("*") if path.is_file())


class TestSend:
    @pytest.mark.parametrize("piece", [1_000, 4_097, len(PHOTO) - 1, len(PHOTO)])
    def test_stores_a_photo_whatever_its_pieces(self, submission, upload_dir, piece):
        upload = send(submission, piece=piece)

        photo = Photo.objects.get(submission=submission)
        assert upload.received_bytes == upload.size_bytes == photo.sent_bytes == len(PHOTO)
        assert photo.sha256 == hashlib.sha256(PHOTO).hexdigest()
        assert (photo.width, photo.height, photo.sent_format, photo.camera) == (640, 480, "JPEG", "X1")
        assert photo.taken_at == datetime(2025, 3, 10, 2, 30, tzinfo=UTC)
        assert len(photo.hash_bands) == 8
        assert photo.name == f"2025/03/{photo.pk}.jpg"
        assert path_of(photo).stat().st_size == photo.stored_bytes
        assert stored_files(upload_dir) == sorted([path_of(photo), thumbnail_path_of(photo)])
        assert not PhotoUpload.objects.exists()
        assert not pieces(upload_dir)

    def test_brings_the_submission_to_review(self, submission):
        send(submission)

        submission.refresh_from_db()
        assert submission.status == Submission.Status.IN_REVIEW
        assert submission.approval is not None

    def test_keeps_files_for_the_portals_eyes_only(self, submission, upload_dir):
        begin(submission)
        add(submission, 0, PHOTO[:10])
        (piece,) = pieces(upload_dir)
        folders = {piece.parent}
        send(submission)
        files = stored_files(upload_dir)
        for path in files:
            folders.update(each for each in path.parents if each.is_relative_to(upload_dir))

        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}

    def test_is_on_record(self, submission):
        send(submission)

        entry = AuditEntry.objects.get(action="photo.stored")
        assert (entry.user, entry.at) == (submission.agent.user, NOW)


class TestBegin:
    def test_tells_where_to_go_on(self, submission):
        begin(submission)
        add(submission, 0, PHOTO[:100])

        assert begin(submission).received_bytes == 100

    def test_starts_anew_for_another_photo(self, submission, upload_dir):
        begin(submission)
        add(submission, 0, PHOTO[:5_000])
        other = jpeg(seed=3)

        assert begin(submission, other).received_bytes == 0
        send(submission, other)

        assert Photo.objects.get().sha256 == hashlib.sha256(other).hexdigest()

    def test_says_that_the_photo_is_here_already(self, submission):
        send(submission)

        assert begin(submission).received_bytes == len(PHOTO)

    def test_refuses_another_photo_beside_the_one_that_is_stored(self, submission):
        send(submission)

        with pytest.raises(uploads.PhotoThere):
            begin(submission, jpeg(seed=3))

    def test_refuses_where_no_photo_is_expected(self, db):
        with pytest.raises(uploads.NoPhotoExpected):
            begin(SubmissionFactory())

    def test_refuses_what_is_too_large(self, submission, settings):
        with pytest.raises(DomainError) as refusal:
            begin(submission, size_bytes=settings.MAX_FILE_SIZE + 1)

        assert (refusal.value.code, refusal.value.status) == ("file_too_large", 413)

    def test_finishes_what_was_whole_when_the_portal_died(self, submission, monkeypatch):
        begin(submission)
        with monkeypatch.context() as patch:
            patch.setattr(uploads, "read_photo", _dies)
            with pytest.raises(_Death):
                add(submission, 0, PHOTO)

        assert begin(submission).received_bytes == len(PHOTO)
        assert Photo.objects.filter(submission=submission).exists()

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.MANAGER])
    def test_is_for_who_brought_it(self, submission, role):
        with pytest.raises(uploads.NotYours):
            begin(submission, user=UserFactory(role=role))

    def test_hides_it_from_other_agents(self, submission):
        for user in (AgentUserFactory(), UserFactory()):
            for act in (
                lambda user=user: begin(submission, user=user),
                lambda user=user: add(submission, 0, b"x", user=user),
                lambda user=user: uploads.upload_of(submission_id=submission.pk, user=user),
            ):
                with pytest.raises(uploads.NoSuchSubmission):
                    act()


class TestAddPiece:
    def test_changes_nothing_when_it_comes_again(self, submission):
        begin(submission)
        add(submission, 0, PHOTO[:3_000])

        assert add(submission, 0, PHOTO[:1_000]).received_bytes == 3_000
        assert add(submission, 2_000, PHOTO[2_000:5_000]).received_bytes == 5_000
        add(submission, 5_000, PHOTO[5_000:])
        assert add(submission, 5_000, PHOTO[5_000:]).received_bytes == len(PHOTO)
        assert Photo.objects.count() == 1

    def test_tells_where_to_go_on_where_bytes_are_missing(self, submission):
        begin(submission)
        add(submission, 0, PHOTO[:10])

        with pytest.raises(uploads.WrongOffset) as refusal:
            add(submission, 11, b"x")

        assert refusal.value.extra == {"received": 10}

    def test_refuses_what_goes_beyond_the_end(self, submission):
        begin(submission)

        with pytest.raises(uploads.BadPiece):
            add(submission, 0, PHOTO + b"x")

    def test_refuses_what_is_too_large(self, submission):
        begin(submission)

        with pytest.raises(uploads.BadPiece):
            add(submission, 0, bytes(uploads.LARGEST_PIECE_BYTES + 1))

    def test_refuses_what_was_not_begun(self, submission):
        with pytest.raises(uploads.NoUpload):
            add(submission, 0, b"x")

    def test_cuts_off_what_a_crash_left(self, submission, upload_dir):
        begin(submission)
        add(submission, 0, PHOTO[:2_000])
        with transaction.atomic():
            add(submission, 2_000, PHOTO[2_000:4_000])
            transaction.set_rollback(True)
        (piece,) = pieces(upload_dir)
        assert piece.stat().st_size == 4_000

        add(submission, 2_000, PHOTO[2_000:2_500])

        assert piece.read_bytes() == PHOTO[:2_500]

    def test_goes_back_to_what_the_disk_still_has(self, submission, upload_dir):
        begin(submission)
        add(submission, 0, PHOTO[:2_000])
        (piece,) = pieces(upload_dir)
        piece.write_bytes(PHOTO[:700])

        with pytest.raises(uploads.WrongOffset) as refusal:
            add(submission, 2_000, PHOTO[2_000:])

        assert refusal.value.extra == {"received": 700}
        assert begin(submission).received_bytes == 700
        assert add(submission, 700, PHOTO[700:]).received_bytes == len(PHOTO)

    def test_is_told_when_the_disk_is_full(self, submission, upload_dir):
        upload_dir.parent.mkdir(exist_ok=True)
        upload_dir.write_text("a file where the folder should be")
        begin(submission)

        with pytest.raises(Unavailable) as refusal:
            add(submission, 0, b"x")

        assert refusal.value.code == "storage_unavailable"

    @pytest.mark.parametrize(
        ("data", "announced", "code"),
        [
            (b"<svg/>", b"<svg/>", "photo_not_accepted"),
            (PHOTO[:-500], PHOTO[:-500], "photo_broken"),
            (PHOTO[:-1] + b"x", PHOTO, "photo_checksum"),
        ],
    )
    def test_forgets_a_photo_that_is_refused(self, submission, upload_dir, data, announced, code):
        begin(submission, announced)

        with pytest.raises(PhotoRefused) as refusal:
            add(submission, 0, data)

        assert (refusal.value.code, refusal.value.status) == (code, 422)
        assert not pieces(upload_dir)
        assert not stored_files(upload_dir)
        assert AuditEntry.objects.get(action="photo.refused").detail["code"] == code
        submission.refresh_from_db()
        assert submission.status == Submission.Status.RECEIVING
        send(submission)
        assert Photo.objects.filter(submission=submission).exists()

    def test_leaves_no_file_where_the_review_refuses(self, submission, upload_dir, monkeypatch):
        def refuse(**_):
            raise Conflict("Taken.", code="assignment_closed")

        with monkeypatch.context() as patch:
            patch.setattr(reviewing, "open_request", refuse)
            with pytest.raises(Conflict):
                send(submission)

        assert not stored_files(upload_dir)
        assert not Photo.objects.exists()
        assert send(submission).received_bytes == len(PHOTO)


@pytest.mark.django_db(transaction=True)
class TestTwoSendersAtOnce:
    def test_leave_one_photo_as_it_was_sent(self):
        submission = ReceivingFactory()

        def sender(piece):
            def work():
                upload = begin(submission)
                while upload.received_bytes < upload.size_bytes:
                    try:
                        upload = add(submission, upload.received_bytes, PHOTO[upload.received_bytes :][:piece])
                    except uploads.WrongOffset as refusal:
                        upload.received_bytes = refusal.extra["received"]
                return upload.received_bytes

            return in_thread(work)

        waits = [sender(1_500), sender(2_300), sender(900)]

        assert [wait() for wait in waits] == [len(PHOTO)] * 3
        assert Photo.objects.get().sha256 == hashlib.sha256(PHOTO).hexdigest()

    def test_of_the_last_piece_are_both_told_that_it_is_here(self, upload_dir):
        submission = ReceivingFactory()
        begin(submission)
        add(submission, 0, PHOTO[:-10])

        waits = [in_thread(lambda: add(submission, len(PHOTO) - 10, PHOTO[-10:])) for _ in range(3)]

        assert {wait().received_bytes for wait in waits} == {len(PHOTO)}
        assert Photo.objects.count() == 1
        assert len(stored_files(upload_dir)) == 2


@pytest.mark.django_db(transaction=True)
class TestWaitingForATurn:
    def test_holds_no_connection_that_others_need(self, monkeypatch):
        submission = ReceivingFactory()
        held = []

        def looking(*arguments, **options):
            held.append(connection.connection)
            return read_photo(*arguments, **options)

        monkeypatch.setattr(uploads, "read_photo", looking)

        assert send(submission).received_bytes == len(PHOTO)
        assert held == [None]


class TestForgetUploads:
    def test_forgets_what_nobody_went_on_with_for_a_week(self, submission, upload_dir, age):
        begin(submission)
        add(submission, 0, PHOTO[:10])
        fresh = ReceivingFactory()
        begin(fresh, now=NOW + timedelta(days=3))
        add(fresh, 0, PHOTO[:10], now=NOW + timedelta(days=3))
        age(upload_dir, NOW)

        assert uploads.forget_uploads(now=NOW + timedelta(days=7, seconds=1)) == 1

        assert PhotoUpload.objects.get().submission == fresh
        assert [path.name for path in pieces(upload_dir)] == [str(fresh.pk)]

    def test_removes_pieces_that_belong_to_none(self, submission, upload_dir, age):
        (upload_dir / "pieces").mkdir(parents=True)
        (upload_dir / "pieces" / "stray").write_bytes(b"x")
        age(upload_dir, NOW - timedelta(days=2))
        (upload_dir / "pieces" / "new").write_bytes(b"x")

        uploads.forget_uploads(now=NOW)

        assert [path.name for path in pieces(upload_dir)] == ["new"]


class TestSweep:
    def test_removes_files_without_a_row_after_a_day(self, submission, upload_dir, age):
        send(submission)
        kept = stored_files(upload_dir)
        for name in ("orphan.jpg", "orphan.thumb.jpg"):
            (kept[0].parent / name).write_bytes(b"x")
        age(upload_dir, NOW)
        assert photos.sweep(now=NOW + timedelta(hours=23)) == 0

        assert photos.sweep(now=NOW + timedelta(hours=25)) == 2
        assert stored_files(upload_dir) == kept

    def test_finds_nothing_where_there_is_nothing(self, db):
        assert photos.sweep(now=NOW) == 0

    def test_finds_what_a_crash_left(self, submission, upload_dir, monkeypatch, age):
        monkeypatch.setattr(reviewing, "open_request", _dies)
        with pytest.raises(_Death):
            send(submission)
        assert len(stored_files(upload_dir)) == 2
        age(upload_dir, NOW)

        assert photos.sweep(now=NOW + timedelta(days=2)) == 2


class _Death(Exception):
    """The process ends here."""


def _dies(*_, **__):
    raise _Death


@pytest.fixture
def age():
    """Return how to make files old."""
    import os

    def make_old(folder, at):
        for path in folder.rglob("*"):
            os.utime(path, (at.timestamp(), at.timestamp()))

    return make_old
