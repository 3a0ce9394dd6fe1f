import copy
import pickle

from energy_portal.shared.errors import Conflict, DomainError, ItemError, Unavailable


class MeterTaken(Conflict):
    code = "meter_taken"


class TestDomainError:
    def test_carries_its_classes_code_and_status(self):
        error = MeterTaken("The meter is bound elsewhere.")

        assert (str(error), error.code, error.status) == ("The meter is bound elsewhere.", "meter_taken", 409)

    def test_lets_one_raise_name_its_own_code_and_status(self):
        error = DomainError("No.", code="no", status=418, extra={"why": "tea"})

        assert (error.code, error.status, error.extra) == ("no", 418, {"why": "tea"})
        assert (DomainError.code, DomainError.status) == ("refused", 422)

    def test_survives_the_way_to_another_process(self):
        error = Unavailable("Full.", retry_after_seconds=7, errors=[ItemError("off_mark", "10:15", index=3)])

        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
            assert twin.__dict__ == error.__dict__
            assert str(twin) == "Full."


class TestItemError:
    def test_lists_only_what_is_known(self):
        assert ItemError("off_mark", "10:15", index=0).as_dict() == {"index": 0, "code": "off_mark", "detail": "10:15"}
