"""The learnt detectors: taught by a sample, kept by version, put back where that is wanted."""

from datetime import UTC, datetime

import numpy as np
import pytest
from django.urls import reverse

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from meters.insights.models import DetectorModel
from meters.insights.services import detectors
from tests.factories import ManagerFactory
from tests.meters.insights.living import TODAY, home, learn

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 4, 7, tzinfo=UTC)


def version(number, state="retired", **more):
    columns = {"made_with": detectors.made_with(), "content": b"", "digest": str(number), **more}
    return DetectorModel.objects.create(
        version=number, seed=number, state=state, taught_at=NOW, taught_until=NOW, series=5, changed_at=NOW, **columns
    )


class TestTeachDetectors:
    def test_puts_what_they_learnt_in_force_and_forgets_old_versions(self, monkeypatch):
        monkeypatch.setattr(detectors, "teach", _taught)
        learn(*(home(seed) for seed in range(5)))
        for number in range(1, 9):
            version(number, "active" if number == 8 else "retired")

        made = detectors.teach_detectors(now=TODAY)

        assert (made.version, made.state, made.series, made.taught_until) == (9, "active", 5, TODAY)
        assert list(DetectorModel.objects.order_by("version").values_list("version", "state"))[::7] == [
            (2, "retired"),
            (9, "active"),
        ]

    def test_teaches_by_nothing_after_what_is_usual_was_learnt(self, monkeypatch):
        given = []
        monkeypatch.setattr(detectors, "teach", lambda grids, **more: given.extend(grids) or _taught(grids, **more))
        learn(*(home(seed) for seed in range(5)))

        detectors.teach_detectors(now=TODAY)

        assert {grid.after for grid in given} == {given[0].after}
        assert all(np.isfinite(grid.values[-1]) for grid in given)

    def test_wants_some_meters(self):
        learn(home())

        assert detectors.teach_detectors(now=TODAY) is None


class TestPutInForce:
    def test_brings_back_an_earlier_version(self):
        old, new = version(1), version(2, "active")

        detectors.put_in_force(model_id=old.pk, actor=PORTAL, now=NOW)

        old.refresh_from_db()
        new.refresh_from_db()
        assert (old.state, new.state) == ("active", "retired")
        assert AuditEntry.objects.get().action == "detectors.put_in_force"

    def test_refuses_what_nobody_can_read(self):
        old = version(1, made_with="scikit-learn 0.1")

        with pytest.raises(detectors.UnreadableDetectors):
            detectors.put_in_force(model_id=old.pk, actor=PORTAL, now=NOW)

    def test_is_done_on_the_page(self, client):
        old = version(1)
        client.force_login(ManagerFactory())
        url = reverse("admin:insights_detectormodel_put_in_force", args=[old.pk])

        assert client.get(url).status_code == 200
        client.post(url, {"sure": "yes"})

        old.refresh_from_db()
        assert old.state == "active"


class TestDetectorsInForce:
    def test_are_none_where_other_libraries_wrote_them(self):
        version(1, "active", made_with="scikit-learn 0.1")

        assert detectors.detectors_in_force() is None


class _Packed:
    def pack(self):
        return b"learnt"


def _taught(grids, *, until, seed):
    return _Packed()
