from billing.pages.accounts import switch_account
from billing.pages.bills import bill_page, bill_pdf_file, bills_page
from billing.pages.front import landing, welcome
from billing.pages.home import home
from billing.pages.usage import usage, usage_file

__all__ = [
    "bill_page",
    "bill_pdf_file",
    "bills_page",
    "home",
    "landing",
    "switch_account",
    "usage",
    "usage_file",
    "welcome",
]
