"""How the pages look and speak to somebody: their language, and the zone that their times are told in."""

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from accounts.models import CustomerAccount, User


def language_ends(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Forget a request's language when it is answered; stands outside ``LocaleMiddleware``.

    The thread that answered it goes on to do other work, such as a websocket's, which speaks for itself.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return get_response(request)
        finally:
            translation.deactivate()

    return answer


def chosen_language(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Speak the language that somebody chose; stands inside ``LocaleMiddleware``, which follows the browser."""

    def answer(request: HttpRequest) -> HttpResponse:
        user = request.user
        if isinstance(user, User) and user.language:
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language()
        return get_response(request)

    return answer


def shown_zone(user: User, account: CustomerAccount) -> ZoneInfo:
    """Return the zone that instants are told in: one's own choice, else the account's."""
    return ZoneInfo(user.zone or account.zone)


@cache
def zone_names() -> tuple[str, ...]:
    """List the zones to choose from: places, and UTC."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")))
