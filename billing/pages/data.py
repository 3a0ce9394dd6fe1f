"""A bill's half-hours as files, from its page."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.utils import timezone
from django.views.decorators.cache import never_cache

from billing.pages.accounts import LoggedInRequest
from billing.selectors.bills import bills_visible_to
from billing.selectors.data import DataFormat, bill_data
from energy_portal.shared.downloads import StreamedFile


@login_required
@never_cache
def bill_data_file(request: LoggedInRequest, bill_id: UUID, suffix: str) -> StreamedFile:
    """Hand out the half-hours that a bill is for, as CSV or Green Button."""
    bill = bills_visible_to(request.user).filter(pk=bill_id).first()
    if bill is None:
        raise Http404
    file_format = DataFormat(suffix)
    return StreamedFile(
        bill_data(bill, file_format=file_format, now=timezone.now()),
        name=file_format.name_for(bill),
        content_type=file_format.content_type,
    )
