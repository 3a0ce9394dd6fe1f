from billing.models.bills import Bill, BillLine, BillNumberSeries, BillRun, Hold
from billing.models.tariffs import Tariff, TariffAssignment, TariffVersion, Tax, TaxVersion

__all__ = [
    "Bill",
    "BillLine",
    "BillNumberSeries",
    "BillRun",
    "Hold",
    "Tariff",
    "TariffAssignment",
    "TariffVersion",
    "Tax",
    "TaxVersion",
]
