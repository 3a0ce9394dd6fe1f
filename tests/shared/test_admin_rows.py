import pytest
from django.urls import reverse
from unfold.decorators import display
from unfold.templatetags import unfold_list

from energy_portal.shared import admin_rows
from energy_portal.shared.admin import PortalAdmin
from tests.factories import AdminFactory, CustomerAccountFactory

COLOURS = {"open": "warning", "done": "success"}


class TestLabels:
    @pytest.mark.parametrize("value", ["open", ("done", "Over & done"), ("other", "Other"), "strange"])
    def test_are_what_they_were(self, value):
        assert admin_rows.label_once(value, "-", COLOURS) == admin_rows._display_for_label(value, "-", COLOURS)

    def test_of_two_texts_are_two(self):
        assert admin_rows.label_once(("open", "A"), "-", COLOURS) != admin_rows.label_once(("open", "B"), "-", COLOURS)


class TestForms:
    def test_show_the_text_of_a_label(self):
        class Shown(PortalAdmin):
            @display(label=COLOURS)
            def state(self, row):
                return "open", f"Open since {row}"

        assert str(Shown.state(None, "Monday")) == "Open since Monday"
        assert Shown.state.label == COLOURS


class TestBoxes:
    def test_hold_the_key_escaped(self):
        assert 'value="&quot;&gt;&lt;b&gt;"' in admin_rows.box_of('"><b>')


@pytest.mark.django_db
class TestLists:
    def test_work_their_headers_out_once(self, client, monkeypatch):
        asked = []
        real = admin_rows._result_headers
        monkeypatch.setattr(admin_rows, "_result_headers", lambda each: asked.append(each) or real(each))
        CustomerAccountFactory.create_batch(3)
        client.force_login(AdminFactory())

        answer = client.get(reverse("admin:accounts_customeraccount_changelist"))

        assert answer.content.count(b"data-row") == 3
        assert len(asked) == 1

    def test_use_what_is_drawn_once(self):
        assert unfold_list.result_headers is admin_rows.headers_once
        assert unfold_list.display_for_label is admin_rows.label_once
