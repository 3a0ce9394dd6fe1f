from billing.documents.content import BillDocument, BilledUse, DayUse, DocumentLine, DocumentRead, Issuer
from billing.documents.pdf import bill_pdf

__all__ = ["BillDocument", "BilledUse", "DayUse", "DocumentLine", "DocumentRead", "Issuer", "bill_pdf"]
