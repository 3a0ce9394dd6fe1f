from billing.models.balance import BankImport, BankLine, Payment, Reminder
from billing.models.bills import Bill, BillLine, BillNumberSeries, BillRun, BillRunChunk, Hold
from billing.models.corrections import Correction, CreditNoteNumberSeries, Dispute, DisputeStep, Rerating
from billing.models.deliveries import BillDelivery
from billing.models.tariffs import Tariff, TariffAssignment, TariffComponent, TariffVersion, Tax, TaxVersion

__all__ = [
    "BankImport",
    "BankLine",
    "Bill",
    "BillDelivery",
    "BillLine",
    "BillNumberSeries",
    "BillRun",
    "BillRunChunk",
    "Correction",
    "CreditNoteNumberSeries",
    "Dispute",
    "DisputeStep",
    "Hold",
    "Payment",
    "Reminder",
    "Rerating",
    "Tariff",
    "TariffAssignment",
    "TariffComponent",
    "TariffVersion",
    "Tax",
    "TaxVersion",
]
