from django.contrib.admin.sites import AdminSite
from django.contrib.auth.models import Group
from django.test import RequestFactory

from energy_portal.shared.admin import AppendOnlyAdmin, HistoryAdmin


class Everything:
    is_active = is_staff = is_superuser = True

    def has_perm(self, *_args):
        return True


class TestAppendOnlyAdmin:
    def test_lets_even_an_admin_only_look(self):
        request = RequestFactory().get("/")
        request.user = Everything()
        admin = AppendOnlyAdmin(Group, AdminSite())

        assert admin.has_view_permission(request)
        assert not admin.has_add_permission(request)
        assert not admin.has_change_permission(request, Group())
        assert not admin.has_delete_permission(request, Group())


class TestHistoryAdmin:
    def test_offers_the_history_of_a_row(self):
        names = [pattern.name for pattern in HistoryAdmin(Group, AdminSite()).get_urls()]

        assert "auth_group_simple_history" in names
