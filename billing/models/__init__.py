from billing.models.bills import Bill, BillLine, BillRun
from billing.models.tariffs import Tariff, TariffAssignment, TariffVersion, Tax, TaxVersion

__all__ = [
    "Bill",
    "BillLine",
    "BillRun",
    "Tariff",
    "TariffAssignment",
    "TariffVersion",
    "Tax",
    "TaxVersion",
]
