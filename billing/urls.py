"""Paths of billing."""

from django.urls import URLPattern, URLResolver, include, path

from billing import pages
from billing.api import urls as api_urls

app_name = "billing"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(api_urls.urlpatterns)),
    path("", pages.welcome, name="welcome"),
    path("landing", pages.landing, name="landing"),
    path("home", pages.home, name="home"),
    path("alarms", pages.alarms_page, name="alarms"),
    path("anomalies", pages.anomalies_page, name="anomalies"),
    path("anomalies/<uuid:anomaly_id>", pages.anomaly_page, name="anomaly"),
    path("anomalies/<uuid:anomaly_id>/answer", pages.answer_anomaly, name="answer_anomaly"),
    path("usage", pages.usage, name="usage"),
    path("usage.csv", pages.usage_file, name="usage_csv"),
    path("usage.xml", pages.usage_green_button, name="usage_green_button"),
    path("meters", pages.meters_page, name="meters"),
    path("meters/<str:serial>", pages.meter_page, name="meter"),
    path("bills", pages.bills_page, name="bills"),
    path("bills/<uuid:bill_id>", pages.bill_page, name="bill"),
    path("bills/<uuid:bill_id>/lines/<int:position>", pages.bill_line_page, name="bill_line"),
    path("bills/<uuid:bill_id>.pdf", pages.bill_pdf_file, name="bill_pdf"),
    path("bills/<uuid:bill_id>/half-hours.csv", pages.bill_data_file, {"suffix": "csv"}, name="bill_csv"),
    path("bills/<uuid:bill_id>/half-hours.xml", pages.bill_data_file, {"suffix": "xml"}, name="bill_green_button"),
    path("bills/<uuid:bill_id>/dispute", pages.bill_dispute, name="dispute"),
    path("bills/<uuid:bill_id>/dispute/withdraw", pages.withdraw_bill_dispute, name="withdraw_dispute"),
    path("payments", pages.payments_page, name="payments"),
    path("payments.csv", pages.statement_file, name="statement_csv"),
    path("payments.pdf", pages.statement_pdf_file, name="statement_pdf"),
    path("what-if", pages.what_if, name="what_if"),
    path("what-if/file", pages.what_if_file, name="what_if_file"),
    path("devices", pages.devices, name="devices"),
    path("devices/live", pages.devices_live, name="devices_live"),
    path("devices/<str:device_id>/appliance", pages.set_kind, name="set_appliance"),
    path("faults/<uuid:fault_id>/seen", pages.take_care_of_fault, name="acknowledge_fault"),
    path("devices/<str:device_id>/switch", pages.switch_device, name="switch_device"),
    path("account", pages.switch_account, name="switch_account"),
]
