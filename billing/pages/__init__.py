from billing.pages.accounts import switch_account
from billing.pages.alarms import alarms_page
from billing.pages.appliances import set_kind, take_care_of_fault
from billing.pages.bills import bill_page, bill_pdf_file, bills_page
from billing.pages.data import bill_data_file
from billing.pages.devices import devices, devices_live, switch_device
from billing.pages.disputes import bill_dispute, withdraw_bill_dispute
from billing.pages.explained import bill_line_page
from billing.pages.front import landing, welcome
from billing.pages.home import home
from billing.pages.meters import meter_page, meters_page
from billing.pages.payments import payments_page, statement_file, statement_pdf_file
from billing.pages.unusual import anomalies_page, anomaly_page, answer_anomaly
from billing.pages.usage import usage
from billing.pages.usage_files import usage_file, usage_green_button
from billing.pages.whatif import what_if, what_if_file

__all__ = [
    "alarms_page",
    "anomalies_page",
    "anomaly_page",
    "answer_anomaly",
    "bill_data_file",
    "bill_dispute",
    "bill_line_page",
    "bill_page",
    "bill_pdf_file",
    "bills_page",
    "devices",
    "devices_live",
    "home",
    "landing",
    "meter_page",
    "meters_page",
    "payments_page",
    "set_kind",
    "statement_file",
    "statement_pdf_file",
    "switch_account",
    "switch_device",
    "take_care_of_fault",
    "usage",
    "usage_file",
    "usage_green_button",
    "welcome",
    "what_if",
    "what_if_file",
    "withdraw_bill_dispute",
]
