import pytest

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry, CustomerAccount
from accounts.services import customers
from energy_portal.shared.errors import Invalid
from tests.accounts.conftest import NOW
from tests.factories import CustomerAccountFactory

pytestmark = pytest.mark.django_db


def create(**more):
    given = {"number": "A-1", "owner_name": "Mei Tan", "actor": PORTAL, "now": NOW, **more}
    return customers.create_account(**given)


class TestCreateAccount:
    def test_keeps_the_account_its_members_and_an_entry(self, manager):
        account = create(family_members=[("Wei", "spouse"), ("Li", "child")], actor=Actor(user=manager))

        assert [str(member) for member in account.family_members.all()] == ["Wei (spouse)", "Li (child)"]
        assert account.zone == "Asia/Singapore"
        entry = AuditEntry.objects.get(action="account.created")
        assert (entry.user, entry.at, entry.object_id) == (manager, NOW, str(account.pk))
        assert account.history.get().history_user == manager

    def test_refuses_a_number_that_is_taken_and_leaves_the_first(self):
        create()
        with pytest.raises(customers.AccountExists) as refusal:
            create(owner_name="Somebody else")

        assert refusal.value.code == "account_exists"
        assert CustomerAccount.objects.get().owner_name == "Mei Tan"

    @pytest.mark.parametrize(
        ("field", "value"), [("zone", "Mars/Base"), ("email", "nobody"), ("owner_name", ""), ("number", "9" * 41)]
    )
    def test_names_the_field_that_is_wrong(self, field, value):
        with pytest.raises(Invalid) as refusal:
            create(**{field: value})

        assert [item.field for item in refusal.value.errors] == [field]

    def test_stores_nothing_when_a_member_is_wrong(self):
        with pytest.raises(Invalid):
            create(family_members=[("Wei", "spouse"), ("", "child")])

        assert not CustomerAccount.objects.exists()


class TestChangeAccount:
    def test_notes_what_was_before(self, account):
        customers.change_account(account_id=account.pk, changes={"owner_name": "Li Tan"}, actor=PORTAL, now=NOW)

        detail = AuditEntry.objects.get(action="account.changed").detail
        assert (detail["before"], detail["after"]) == ({"owner_name": "Mei Tan"}, {"owner_name": "Li Tan"})

    def test_refuses_the_number_of_another(self, account):
        other = CustomerAccountFactory()
        with pytest.raises(customers.AccountExists):
            customers.change_account(account_id=other.pk, changes={"number": account.number}, actor=PORTAL, now=NOW)

    def test_refuses_fields_that_are_not_to_be_changed(self, account):
        with pytest.raises(Invalid, match="created_at"):
            customers.change_account(account_id=account.pk, changes={"created_at": NOW}, actor=PORTAL, now=NOW)


class TestFamilyMembers:
    def test_are_replaced_as_a_whole(self, account):
        customers.add_family_member(account_id=account.pk, name="Wei", relationship="spouse", actor=PORTAL, now=NOW)
        customers.set_family_members(account_id=account.pk, members=[("Li", "child")], actor=PORTAL, now=NOW)

        assert [str(member) for member in account.family_members.all()] == ["Li (child)"]

    def test_stop_at_the_limit(self, account):
        crowd = [(f"Guest {n}", "tenant") for n in range(customers.MOST_FAMILY_MEMBERS)]
        customers.set_family_members(account_id=account.pk, members=crowd, actor=PORTAL, now=NOW)

        with pytest.raises(customers.TooManyMembers):
            customers.add_family_member(account_id=account.pk, name="One", relationship="more", actor=PORTAL, now=NOW)

    def test_of_another_account_cannot_be_removed(self, account):
        member = customers.add_family_member(
            account_id=account.pk, name="Wei", relationship="spouse", actor=PORTAL, now=NOW
        )
        other = CustomerAccountFactory()
        with pytest.raises(customers.NoSuchMember):
            customers.remove_family_member(account_id=other.pk, member_id=member.pk, actor=PORTAL, now=NOW)

        assert account.family_members.count() == 1


class TestCreatePremises:
    @pytest.mark.parametrize("position", [(1.3, None), (None, 103.8), (91, 0), (0, 181)])
    def test_refuses_what_is_no_position(self, position):
        with pytest.raises(Invalid, match="position"):
            customers.create_premises(
                address="1 Test Street", latitude=position[0], longitude=position[1], actor=PORTAL, now=NOW
            )

    def test_keeps_the_place(self):
        premises = customers.create_premises(
            address="1 Test Street", zone="Europe/Berlin", latitude=52.5, longitude=13.4, actor=PORTAL, now=NOW
        )
        changed = customers.change_premises(
            premises_id=premises.pk, changes={"location_id": "B-1"}, actor=PORTAL, now=NOW
        )

        assert (changed.zone, changed.latitude, changed.location_id) == ("Europe/Berlin", 52.5, "B-1")
