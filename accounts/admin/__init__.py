"""The admin pages of accounts."""

from django.contrib import admin
from django.contrib.auth.models import Group
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.admin.access import AccountAccessAdmin, InvitationAdmin
from accounts.admin.customers import CustomerAccountAdmin, FamilyMemberAdmin, PremisesAdmin
from accounts.admin.exports import record_export
from accounts.admin.records import AuditEntryAdmin, IdempotencyRecordAdmin
from accounts.admin.sources import DataSourceAdmin, SourceKeyAdmin
from accounts.admin.users import UserAdmin

__all__ = [
    "AccountAccessAdmin",
    "AuditEntryAdmin",
    "CustomerAccountAdmin",
    "DataSourceAdmin",
    "FamilyMemberAdmin",
    "IdempotencyRecordAdmin",
    "InvitationAdmin",
    "PremisesAdmin",
    "SourceKeyAdmin",
    "UserAdmin",
    "record_export",
]

# Roles stand in the place of groups, and tokens are bookkeeping of the API's login.
for _model in (Group, OutstandingToken, BlacklistedToken):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)
