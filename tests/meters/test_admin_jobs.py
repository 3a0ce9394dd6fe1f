import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from meters.admin.jobs import progress_of, report_of
from meters.models import Binding, Job, Meter, RegisterReading
from meters.services.uploads import keep_upload, path_of
from meters.tasks import run_job
from tests.factories import CustomerAccountFactory, MeterFactory, UserFactory, supplied_register

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "uploads")]

LIST = "admin:meters_job_changelist"
IMPORT = "admin:meters_job_import_readings"


def url(name, job):
    return reverse(f"admin:meters_job_{name}", args=[job.pk])


@pytest.fixture
def make_job(manager, now):
    def make(**fields):
        return Job.objects.create(
            **{"kind": Job.Kind.IMPORT_READINGS, "created_at": now, "asked_by": manager, **fields}
        )

    return make


def file_of(*lines, name="reads.csv"):
    return SimpleUploadedFile(name, "\n".join(("serial,time,value", *lines)).encode())


class TestJobPage:
    def test_asks_again_while_the_job_is_under_way(self, manager_client, make_job):
        running = make_job(status="running", done=2048, total=8192)

        page = manager_client.get(url("change", running))
        part = manager_client.get(url("progress", running))

        for answer in (page, part):
            assert f'hx-get="{url("progress", running)}"' in answer.text
            assert 'aria-valuenow="25"' in answer.text
        assert "<html" not in part.text

    def test_stops_asking_and_says_so_once_it_has_ended(self, manager_client, make_job, now):
        ended = make_job(status="done", finished_at=now, report={"stored": 3})

        part = manager_client.get(url("progress", ended)).text

        assert "hx-trigger" not in part
        assert 'hx-swap-oob="innerHTML">Done' in part

    def test_tells_why_a_job_failed(self, manager_client, make_job):
        failed = make_job(status="failed", error="There is no column Stand.")

        assert "There is no column Stand." in manager_client.get(url("change", failed)).text

    def test_lists_problems_by_line_and_hands_them_out(self, manager_client, make_job):
        problem = {"line": 7, "code": "unknown_meter", "detail": "=No meter SG-9.", "count": 2}
        job = make_job(status="done", report={"stored": 1, "problems": [problem]})

        page = manager_client.get(url("change", job))
        taken = b"".join(manager_client.get(url("problems", job)).streaming_content).decode("utf-8-sig")

        assert [(table.name, table.rows) for table in page.context["report"].tables] == [
            ("problems", ((7, "unknown_meter", 2, "=No meter SG-9."),))
        ]
        assert list(csv.DictReader(io.StringIO(taken))) == [
            {"line": "7", "code": "unknown_meter", "detail": "'=No meter SG-9.", "count": "2"}
        ]

    def test_tells_what_was_asked_without_drowning_in_it(self, manager_client, make_job):
        serials = [f"SG-{number}" for number in range(1_000)]
        job = make_job(parameters={"meter_ids": serials, "zone": "", "dry_run": True, "columns": {"value": "Stand"}})

        text = manager_client.get(url("change", job)).text

        for words in ("SG-19 and 980 more", "dry run yes", "columns value = Stand"):
            assert words in text
        assert "SG-20," not in text

    def test_hands_out_what_the_job_made(self, manager_client, make_job):
        name = keep_upload(chunks=[b"a,b\r\n"])
        job = make_job(kind=Job.Kind.EXPORT_READINGS, status="done", result=name)

        answer = manager_client.get(url("result", job))

        assert b"".join(answer.streaming_content) == b"a,b\r\n"
        assert "attachment" in answer["Content-Disposition"]

    def test_has_no_file_where_none_was_made(self, manager_client, make_job):
        job = make_job()

        assert manager_client.get(url("result", job)).status_code == 404

    @pytest.mark.parametrize("page", ["progress", "result", "problems"])
    def test_is_closed_to_customers(self, client, make_job, page):
        client.force_login(UserFactory())

        assert client.get(url(page, make_job())).status_code == 302

    def test_cannot_be_changed(self, manager_client, make_job):
        answer = manager_client.post(url("change", make_job()), {"status": "done"})

        assert answer.status_code == 403


class TestJobList:
    def test_keeps_itself_up_to_date_only_while_a_job_is_under_way(self, manager_client, make_job):
        make_job(status="done")
        quiet = manager_client.get(reverse(LIST)).text
        make_job(status="queued")

        assert "every 3s" not in quiet
        assert "every 3s" in manager_client.get(reverse(LIST)).text


class TestProgress:
    def test_counts_files_in_bytes_and_the_rest_in_pieces(self):
        assert progress_of(Job(kind="import_readings", done=1024, total=2048)).text == "1.0\xa0KB of 2.0\xa0KB"
        assert progress_of(Job(kind="archive", done=1000, total=2000)).text == "1,000 of 2,000"

    def test_knows_no_share_of_an_unknown_whole(self):
        assert progress_of(Job(kind="archive", status="running", done=3)).percent is None
        assert progress_of(Job(kind="archive", status="done")).percent == 100

    def test_never_goes_beyond_the_whole(self):
        assert progress_of(Job(kind="archive", done=30, total=20)).percent == 100


class TestReport:
    def test_lays_out_whatever_a_job_tells(self):
        report = report_of({"stored": 3, "problems_by_code": {"conflict": 2}, "months": ["2025-01"], "none": []})

        assert report.figures == (("Stored", 3),)
        assert [(table.title, table.columns, table.rows) for table in report.tables] == [
            ("Problems by code", ("What", "Count"), (("conflict", 2),)),
            ("Months", ("Entry",), (("2025-01",),)),
        ]

    def test_shows_the_first_rows_and_counts_the_others(self):
        table = report_of({"problems": [{"line": number} for number in range(250)]}).tables[0]

        assert (len(table.rows), table.hidden) == (200, 50)


class TestImportReadings:
    @pytest.fixture
    def register(self):
        return supplied_register()

    def upload(self, client, *lines, **more):
        return client.post(reverse(IMPORT), {"file": file_of(*lines), "format": "auto", **more})

    def test_offers_a_dry_run_first(self, manager_client):
        answer = manager_client.get(reverse(IMPORT))

        assert answer.context["form"]["dry_run"].initial is True
        assert 'enctype="multipart/form-data"' in answer.text

    def test_leads_to_the_job_that_tells_what_would_happen(self, manager_client, manager, register):
        answer = self.upload(
            manager_client, f"{register.meter.serial},2026-03-15 10:00,5", "SG-X,2026-03-15 10:00,5", dry_run="on"
        )

        job = Job.objects.get()
        assert answer["Location"] == url("change", job)
        assert (job.asked_by, job.upload_name, job.parameters["dry_run"]) == (manager, "reads.csv", True)
        run_job(job_id=str(job.pk))
        page = manager_client.get(url("change", job))
        assert ("Stored", 1) in page.context["report"].figures
        assert page.context["report"].tables[-1].rows[0][:2] == (3, "unknown_meter")
        assert not RegisterReading.objects.exists()

    def test_takes_the_same_file_in_once_its_dry_run_looks_right(self, manager_client, register):
        self.upload(manager_client, f"{register.meter.serial};2026-03-15 10:00;5", dry_run="on", column_value="value")
        dry = Job.objects.get()
        run_job(job_id=str(dry.pk))
        assert url("take_in", dry) in manager_client.get(url("change", dry)).text

        answer = manager_client.post(url("take_in", dry))

        job = Job.objects.exclude(pk=dry.pk).get()
        assert answer["Location"] == url("change", job)
        assert job.parameters == {**dry.parameters, "dry_run": False}
        assert path_of(job.upload).read_bytes() == path_of(dry.upload).read_bytes()

    def test_takes_nothing_in_of_a_job_that_was_no_dry_run(self, manager_client, make_job):
        name = keep_upload(chunks=[b"serial"])
        job = make_job(status="done", parameters={"dry_run": False}, upload=name)

        assert manager_client.post(url("take_in", job)).status_code == 403
        assert manager_client.get(url("take_in", job)).status_code == 405

    def test_passes_on_what_was_told_of_the_file(self, manager_client):
        self.upload(
            manager_client,
            zone="Europe/Berlin",
            labels="period_start",
            column_value="Stand",
            create_meters="on",
            commodity="gas",
            interval_minutes="15",
        )

        told = Job.objects.get().parameters
        assert told["columns"] == {"value": "Stand"}
        assert (told["zone"], told["labels"], told["commodity"]) == ("Europe/Berlin", "period_start", "gas")
        assert (told["create_meters"], told["dry_run"], told["interval_minutes"]) == (True, False, 15)

    def test_says_what_is_wrong_and_queues_nothing(self, manager_client):
        answer = self.upload(manager_client, zone="Mars/Olympus")

        assert answer.status_code == 200
        assert answer.context["form"].non_field_errors()
        assert not Job.objects.exists()

    def test_opens_the_section_where_something_is_wrong(self, manager_client):
        answer = self.upload(manager_client, interval_minutes="99")

        assert [section.is_open for section in answer.context["form"].sections()] == [True, True, False, False]

    def test_refuses_what_is_too_large(self, manager_client, settings):
        settings.MAX_FILE_SIZE = 10

        answer = self.upload(manager_client, "SG-1,2026-03-15 10:00,5")

        assert "may hold at most" in answer.text
        assert not Job.objects.exists()

    def test_makes_no_meter_unless_asked(self, manager_client):
        self.upload(manager_client, "SG-NEW,2026-03-15 10:00,5")
        run_job(job_id=str(Job.objects.get().pk))

        assert not Meter.objects.exists()


class TestImportBindings:
    def test_leads_from_a_dry_run_to_the_bindings(self, manager_client):
        meter, account = MeterFactory(), CustomerAccountFactory()
        mapping = f"account,meter,from\n{account.number},{meter.serial},2026-03-01\nA-NOPE,{meter.serial},2026-03-01\n"
        file = SimpleUploadedFile("mapping.csv", mapping.encode())

        answer = manager_client.post(reverse("admin:meters_job_import_bindings"), {"file": file, "dry_run": "on"})
        dry = Job.objects.get()
        run_job(job_id=str(dry.pk))

        assert answer["Location"] == url("change", dry)
        page = manager_client.get(url("change", dry))
        assert ("Bound", 1) in page.context["report"].figures
        assert [row[0] for row in page.context["report"].tables[-1].rows] == [3]
        assert not Binding.objects.exists()

        manager_client.post(url("take_in", dry))
        run_job(job_id=str(Job.objects.exclude(pk=dry.pk).get().pk))
        assert Binding.objects.get().account == account
