import json
from copy import deepcopy
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db.backends.postgresql.psycopg_any import DateRange

from billing.models import Tariff
from tests.billing.test_urdb import a_rate
from tests.factories import TariffFactory, TaxFactory

pytestmark = pytest.mark.django_db
CODE = "hlap-residential-time-of-use"


@pytest.fixture
def run(tmp_path, capsys):
    """Import rates, each from a file of its own; return what is answered."""

    def run(*rates, **options):
        files = []
        for index, rate in enumerate(rates):
            path = tmp_path / options.pop("file", f"{index}.json")
            path.write_text(json.dumps({"items": [rate]}, default=float))
            files.append(str(path))
        try:
            call_command("import_tariff", *files, json=True, **options)
        finally:
            run.answer = json.loads(capsys.readouterr().out or "{}")
        return run.answer["rates"]

    return run


def dearer(rate):
    changed = deepcopy(rate)
    changed["energyratestructure"][1][0]["rate"] = 0.55
    return changed


class TestImportTariff:
    def test_stores_a_rate_as_a_tariff(self, run):
        TaxFactory()
        (result,) = run(a_rate(fixedchargefirstmeter=9, fixedchargeunits="$/month"), tax="GST", service_class="home")

        tariff = Tariff.objects.get(code=CODE)
        version = tariff.versions.get()
        assert result["outcome"] == "created"
        assert (tariff.currency, tariff.tax.code, tariff.service_class) == ("USD", "GST", "home")
        assert "0123456789abcdef01234567" in tariff.source
        assert version.effective == DateRange(date(2024, 10, 1), None)
        assert [item.name for item in version.components.all()] == ["Electricity", "Fixed charge"]
        assert version.components.first().terms["periods"][0]["tiers"] == [{"up_to": None, "rate": "0.112"}]
        assert "startdate" in version.notes

    def test_adds_nothing_when_repeated(self, run):
        run(a_rate())

        (result,) = run(a_rate())

        assert result["outcome"] == "unchanged"
        assert Tariff.objects.get(code=CODE).versions.count() == 1

    def test_revises_the_version_of_the_same_day(self, run):
        run(a_rate())

        (result,) = run(dearer(a_rate()))

        version = Tariff.objects.get(code=CODE).versions.get(superseded_at=None)
        assert result["outcome"] == "version revised"
        assert version.components.get().terms["periods"][1]["tiers"][0]["rate"] == "0.55"

    def test_adds_a_version_from_another_day_on(self, run):
        run(a_rate())

        (result,) = run(dearer(a_rate(startdate=1735689600)))

        days = Tariff.objects.get(code=CODE).versions.values_list("effective", flat=True)
        assert result["outcome"] == "version added"
        assert sorted(day.lower for day in days) == [date(2024, 10, 1), date(2025, 1, 1)]

    def test_fits_an_earlier_version_before_the_one_that_stands(self, run):
        run(a_rate(startdate=1735689600))

        (result,) = run(a_rate())

        assert (result["from"], result["to"]) == ("2024-10-01", "2025-01-01")

    def test_stores_nothing_on_a_dry_run(self, run):
        (result,) = run(a_rate(), dry_run=True)

        assert result["outcome"] == "created"
        assert not Tariff.objects.filter(code=CODE).exists()

    def test_takes_code_name_and_day_from_whoever_imports(self, run):
        run(a_rate(startdate=None), code="night", name="Night", start=date(2025, 2, 1))

        tariff = Tariff.objects.get(code="night")
        assert (tariff.name, tariff.versions.get().effective.lower) == ("Night", date(2025, 2, 1))

    @pytest.mark.parametrize("changed", [{"startdate": None}, {"energyweekdayschedule": []}, {"country": "Atlantis"}])
    def test_refuses_a_rate_with_faults_and_says_which(self, run, changed):
        with pytest.raises(CommandError, match="1 of 1"):
            run(a_rate(**changed))

        assert run.answer["rates"][0]["because"]
        assert not Tariff.objects.filter(code=CODE).exists()

    def test_refuses_the_code_of_a_tariff_from_elsewhere(self, run):
        TariffFactory(code="ours", name="Our own")

        with pytest.raises(CommandError):
            run(a_rate(), code="ours")

        assert "Our own" in run.answer["rates"][0]["because"]

    def test_imports_the_sound_rates_beside_a_bad_one(self, run):
        with pytest.raises(CommandError, match="1 of 2"):
            run(a_rate(), a_rate(name="Other", label="f" * 24, uri=None, energyratestructure=[]))

        assert Tariff.objects.filter(code=CODE).exists()

    def test_warns_of_a_label_that_another_tariff_came_under(self, run):
        run(a_rate())

        (result,) = run(a_rate(utility="Valley Electric", name="Large Power"))

        warnings = [item["text"] for item in result["remarks"] if item["path"] == "label"]
        assert CODE in warnings[0]

    def test_compares_files_that_come_together(self, run):
        results = run(a_rate(), a_rate(utility="Valley Electric"))

        assert all(any(item["path"] == "label" for item in result["remarks"]) for result in results)

    def test_notes_a_file_s_name_that_says_another_day(self, run):
        (result,) = run(a_rate(), file="rate_2025-09-08.json")

        assert result["remarks"][0]["text"] == "It says 2025-09-08, and the rate starts on 2024-10-01."

    def test_warns_of_a_file_s_name_that_speaks_of_events(self, run):
        (result,) = run(a_rate(), file="EV_CPP-D.json")

        assert result["remarks"][0]["level"] == "warning"

    def test_says_which_file_cannot_be_read(self, tmp_path):
        path = tmp_path / "broken.json"
        path.write_text("{")

        with pytest.raises(CommandError, match=r"broken\.json"):
            call_command("import_tariff", str(path))

    def test_tells_a_person_what_came_of_it(self, tmp_path, capsys):
        path = tmp_path / "rate.json"
        path.write_text(json.dumps(a_rate(), default=float))

        call_command("import_tariff", str(path))

        told = capsys.readouterr().out
        assert f"created: tariff {CODE}, version 2024-10-01 (Electricity)" in told
        assert "note     startdate: " in told
