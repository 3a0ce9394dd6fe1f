from billing.admin.bills import BillAdmin
from billing.admin.deliveries import BillDeliveryAdmin
from billing.admin.runs import BillRunAdmin
from billing.admin.tariffs import TariffAdmin, TariffAssignmentAdmin, TaxAdmin

__all__ = ["BillAdmin", "BillDeliveryAdmin", "BillRunAdmin", "TariffAdmin", "TariffAssignmentAdmin", "TaxAdmin"]
