"""Paths for machines."""

from django.urls import path

from billing.api.bills import BillDetailView, BillListView, BillPDFView, LastMonthBillView
from billing.api.data import BillCSVView, BillGreenButtonView
from billing.api.runs import BillRunDetailView, BillRunListView
from billing.api.tariffs import TariffDetailView, TariffListView

urlpatterns = [
    path("get_last_month_bill", LastMonthBillView.as_view(), name="api_last_month_bill"),
    path("api/v1/bills", BillListView.as_view(), name="api_bills"),
    path("api/v1/bills/<uuid:bill_id>", BillDetailView.as_view(), name="api_bill"),
    path("api/v1/bills/<uuid:bill_id>/pdf", BillPDFView.as_view(), name="api_bill_pdf"),
    path("api/v1/bills/<uuid:bill_id>/data.csv", BillCSVView.as_view(), name="api_bill_csv"),
    path("api/v1/bills/<uuid:bill_id>/data.xml", BillGreenButtonView.as_view(), name="api_bill_green_button"),
    path("api/v1/bill-runs", BillRunListView.as_view(), name="api_bill_runs"),
    path("api/v1/bill-runs/<uuid:run_id>", BillRunDetailView.as_view(), name="api_bill_run"),
    path("api/v1/tariffs", TariffListView.as_view(), name="api_tariffs"),
    path("api/v1/tariffs/<str:code>", TariffDetailView.as_view(), name="api_tariff"),
]
