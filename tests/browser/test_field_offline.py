"""What an agent's phone keeps without a connection, sends once, and leaves behind."""

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import expect

from field_ops.models import Phone, Submission
from tests.browser.conftest import PASSWORD, Visitor, visitor_in
from tests.browser.walks import SERIAL, STREETS, Walk, fill_in, picture, wait_until_kept
from tests.field_ops.factories import ApprovalRequestFactory, SubmissionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def open_list(visitor: Visitor, walk: Walk) -> None:
    """Log in, and wait until the phone can go on by itself."""
    visitor.log_in(walk.agent.user, begins_at="**/field/")
    wait_until_kept(visitor.page)


class TestOffline:
    def test_keeps_readings_until_there_is_a_connection_and_sends_each_once(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk)
        pocket.set_offline(True)

        page.goto(f"{site}/field/assignments/{walk.assignments[1].pk}")
        expect(page.get_by_role("heading", name=STREETS[1][0])).to_be_visible()
        fill_in(page, "SG-400101", "41790")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("Waiting to be sent", exact=True)).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="No connection")).to_be_visible()
        page.close()

        again = pocket.new_page()
        again.goto(f"{site}/field/")
        expect(again.get_by_role("heading", name="2 meters to read")).to_be_visible()
        again.goto(f"{site}/field/sent")
        expect(again.get_by_text("Waiting to be sent", exact=True)).to_be_visible()
        assert Submission.objects.count() == 0
        pocket.set_offline(False)

        expect(again.get_by_text("In review")).to_be_visible()
        assert Submission.objects.get().photo.sent_bytes == len(picture())

    def test_arrives_once_when_answers_are_lost(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        lost = []

        def lose_first(route):
            key = (route.request.method, route.request.headers.get("upload-offset"))
            route.fetch()
            if key in lost:
                route.continue_()
            else:
                lost.append(key)
                route.abort()

        open_list(visitor, walk)
        page.route("**/api/v1/submissions**", lose_first)
        page.get_by_role("link", name="Read this meter").click()
        fill_in(page, SERIAL, "41810")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/field/sent")

        page.evaluate("setInterval(() => dispatchEvent(new Event('online')), 100)")

        expect(page.get_by_text("In review")).to_be_visible()
        assert len(lost) >= 3
        assert Submission.objects.get().photo.sent_bytes == len(picture())


class TestSent:
    def test_shows_what_is_sent_back_and_lets_it_be_done_again(self, phone, walk):
        first = SubmissionFactory(assignment=walk.assignments[0], status="returned", register=walk.register)
        notes = "The last digit is not sharp."
        ApprovalRequestFactory(submission=first, status="returned", review_notes=notes)
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        expect(page.get_by_text(notes)).to_be_visible()
        page.get_by_role("link", name="Sent").click()
        expect(page.get_by_role("listitem").filter(has_text="Sent back")).to_contain_text(notes)
        phone.expect_sound()

        page.get_by_role("link", name="Do it again").click()
        fill_in(page, SERIAL, "41810")
        page.get_by_role("button", name="Send").click()

        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("In review")).to_be_visible()
        assert Submission.objects.get(follows=first).value == 41_810

    @pytest.mark.parametrize(("status", "words"), [("approved", "Approved"), ("rejected", "Rejected")])
    def test_shows_what_was_decided(self, visitor, walk, status, words):
        sent = SubmissionFactory(assignment=walk.assignments[0], status=status, register=walk.register)
        ApprovalRequestFactory(submission=sent, status="rejected", review_notes="Seen.")
        visitor.log_in(walk.agent.user, begins_at="**/field/")

        visitor.open("/field/sent")

        expect(visitor.page.get_by_role("listitem").filter(has_text=words)).to_contain_text("Seen.")
        visitor.expect_sound()


class TestLeaving:
    def test_keeps_what_waits_and_asks_to_log_in_when_the_login_ends(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk)
        page.get_by_role("link", name="Read this meter").click()
        fill_in(page, SERIAL, "41810")
        Session.objects.all().delete()
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/login?next=/field/sent")
        assert Submission.objects.count() == 0

        page.get_by_label("E-mail address").fill(walk.agent.user.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()

        expect(page.get_by_text("In review")).to_be_visible()
        assert Submission.objects.count() == 1

    def test_leaves_nothing_to_see_after_logging_out(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk)

        page.locator("summary", has_text="your login").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")

        pocket.set_offline(True)
        page.goto(f"{site}/field/")
        expect(page.get_by_role("heading", name="No connection")).to_be_visible()
        assert walk.agent.user.email not in page.content()

    def test_deletes_all_that_is_on_a_phone_that_was_revoked(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk)

        Phone.objects.update(revoked_at=timezone.now())
        page.evaluate("dispatchEvent(new Event('online'))")

        expect(page.get_by_role("heading", name="This phone is revoked")).to_be_visible()
        page.wait_for_function("async () => (await indexedDB.databases()).length === 0")
        page.wait_for_function("async () => (await caches.keys()).length === 0")
