from billing.models.bills import Bill, BillLine, BillNumberSeries, BillRun, BillRunChunk, Hold
from billing.models.deliveries import BillDelivery
from billing.models.tariffs import Tariff, TariffAssignment, TariffComponent, TariffVersion, Tax, TaxVersion

__all__ = [
    "Bill",
    "BillDelivery",
    "BillLine",
    "BillNumberSeries",
    "BillRun",
    "BillRunChunk",
    "Hold",
    "Tariff",
    "TariffAssignment",
    "TariffComponent",
    "TariffVersion",
    "Tax",
    "TaxVersion",
]
