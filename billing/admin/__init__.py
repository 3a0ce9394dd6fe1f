from billing.admin.bank import BankImportAdmin, BankLineAdmin
from billing.admin.bills import BillAdmin
from billing.admin.corrections import CorrectionAdmin
from billing.admin.deliveries import BillDeliveryAdmin
from billing.admin.disputes import DisputeAdmin
from billing.admin.payments import AccountWithBalanceAdmin, PaymentAdmin, ReminderAdmin
from billing.admin.runs import BillRunAdmin
from billing.admin.tariffs import TariffAdmin, TariffAssignmentAdmin, TaxAdmin

__all__ = [
    "AccountWithBalanceAdmin",
    "BankImportAdmin",
    "BankLineAdmin",
    "BillAdmin",
    "BillDeliveryAdmin",
    "BillRunAdmin",
    "CorrectionAdmin",
    "DisputeAdmin",
    "PaymentAdmin",
    "ReminderAdmin",
    "TariffAdmin",
    "TariffAssignmentAdmin",
    "TaxAdmin",
]
