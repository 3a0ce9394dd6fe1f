"""Paths for machines."""

from django.urls import path

from billing.api.balance import AccountPaymentListView, BalanceView, PaymentListView, StatementView
from billing.api.bills import BillDetailView, BillListView, BillPDFView, LastMonthBillView
from billing.api.corrections import (
    CorrectionApproveView,
    CorrectionDetailView,
    CorrectionListView,
    CorrectionRejectView,
)
from billing.api.data import BillCSVView, BillGreenButtonView
from billing.api.disputes import (
    DisputeCorrectView,
    DisputeDetailView,
    DisputeListView,
    DisputeReadingsView,
    DisputeRejectView,
    DisputeWithdrawView,
)
from billing.api.explain import BillExplainView
from billing.api.runs import BillRunDetailView, BillRunListView
from billing.api.tariffs import TariffDetailView, TariffListView

urlpatterns = [
    path("get_last_month_bill", LastMonthBillView.as_view(), name="api_last_month_bill"),
    path("api/v1/bills", BillListView.as_view(), name="api_bills"),
    path("api/v1/bills/<uuid:bill_id>", BillDetailView.as_view(), name="api_bill"),
    path("api/v1/bills/<uuid:bill_id>/explain", BillExplainView.as_view(), name="api_bill_explain"),
    path("api/v1/bills/<uuid:bill_id>/pdf", BillPDFView.as_view(), name="api_bill_pdf"),
    path("api/v1/bills/<uuid:bill_id>/data.csv", BillCSVView.as_view(), name="api_bill_csv"),
    path("api/v1/bills/<uuid:bill_id>/data.xml", BillGreenButtonView.as_view(), name="api_bill_green_button"),
    path("api/v1/accounts/<str:number>/balance", BalanceView.as_view(), name="api_balance"),
    path("api/v1/accounts/<str:number>/statement", StatementView.as_view(), name="api_statement"),
    path("api/v1/accounts/<str:number>/payments", AccountPaymentListView.as_view(), name="api_account_payments"),
    path("api/v1/payments", PaymentListView.as_view(), name="api_payments"),
    path("api/v1/bill-runs", BillRunListView.as_view(), name="api_bill_runs"),
    path("api/v1/bill-runs/<uuid:run_id>", BillRunDetailView.as_view(), name="api_bill_run"),
    path("api/v1/tariffs", TariffListView.as_view(), name="api_tariffs"),
    path("api/v1/tariffs/<str:code>", TariffDetailView.as_view(), name="api_tariff"),
]

urlpatterns += [
    path("api/v1/corrections", CorrectionListView.as_view(), name="api_corrections"),
    path("api/v1/corrections/<uuid:correction_id>", CorrectionDetailView.as_view(), name="api_correction"),
    path(
        "api/v1/corrections/<uuid:correction_id>/approve",
        CorrectionApproveView.as_view(),
        name="api_correction_approve",
    ),
    path(
        "api/v1/corrections/<uuid:correction_id>/reject", CorrectionRejectView.as_view(), name="api_correction_reject"
    ),
    path("api/v1/disputes", DisputeListView.as_view(), name="api_disputes"),
    path("api/v1/disputes/<uuid:dispute_id>", DisputeDetailView.as_view(), name="api_dispute"),
    path("api/v1/disputes/<uuid:dispute_id>/withdraw", DisputeWithdrawView.as_view(), name="api_dispute_withdraw"),
    path("api/v1/disputes/<uuid:dispute_id>/readings", DisputeReadingsView.as_view(), name="api_dispute_readings"),
    path("api/v1/disputes/<uuid:dispute_id>/correct", DisputeCorrectView.as_view(), name="api_dispute_correct"),
    path("api/v1/disputes/<uuid:dispute_id>/reject", DisputeRejectView.as_view(), name="api_dispute_reject"),
]
