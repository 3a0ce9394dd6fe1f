from accounts.models.audit import AuditEntry, IdempotencyRecord
from accounts.models.customers import AccountAccess, CustomerAccount, FamilyMember, Invitation, Premises
from accounts.models.preferences import NotificationChoice, NotificationKind
from accounts.models.sources import DataSource, SourceKey
from accounts.models.users import User

__all__ = [
    "AccountAccess",
    "AuditEntry",
    "CustomerAccount",
    "DataSource",
    "FamilyMember",
    "IdempotencyRecord",
    "Invitation",
    "NotificationChoice",
    "NotificationKind",
    "Premises",
    "SourceKey",
    "User",
]
