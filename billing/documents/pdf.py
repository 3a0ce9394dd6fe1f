"""Draw a bill on one A4 page."""

from billing.documents.content import BillDocument


def bill_pdf(bill_document: BillDocument) -> bytes:
    """Draw a bill as a PDF of one A4 page; the same document always gives the same bytes."""
    raise NotImplementedError
