from billing.documents.content import BillDocument, DayUse, DocumentLine, DocumentRead, Issuer
from billing.documents.pdf import bill_pdf

__all__ = ["BillDocument", "DayUse", "DocumentLine", "DocumentRead", "Issuer", "bill_pdf"]
