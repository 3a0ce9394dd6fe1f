import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import validate_zone
from accounts.roles import DESK_ROLES, Role, role_grants


class UserManager(BaseUserManager["User"]):
    """Make users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user; without a password nobody can log in as them until they set one."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user in the role of admin."""
        return self.create_user(email, password, **{"role": Role.ADMIN, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who can log in: a customer, an agent, a manager, an operator or an admin."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"
        SUSPENDED = "suspended"

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        CHINESE = "zh-hans", "简体中文"
        MALAY = "ms", "Bahasa Melayu"

    class Theme(models.TextChoices):
        SYSTEM = "system", _("as the device")
        LIGHT = "light", _("light")
        DARK = "dark", _("dark")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(help_text="The login; unique without regard to case.")
    name = models.CharField(max_length=150)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.CUSTOMER)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    phone = models.CharField(max_length=32, blank=True)
    department = models.CharField(max_length=100, blank=True)
    region = models.CharField(max_length=100, blank=True)
    permissions = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Extra rights by name, such as meters.change_meter.",
    )
    language = models.CharField(
        max_length=10, choices=Language.choices, blank=True, help_text="Of the pages; empty: as the browser asks."
    )
    zone = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_zone],
        help_text="Of the times on the pages; empty: of the place that they are about.",
    )
    theme = models.CharField(max_length=10, choices=Theme.choices, default=Theme.SYSTEM)
    login_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text="Sessions and tokens of an earlier epoch open nothing."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        ordering = ("email",)
        constraints = (models.UniqueConstraint(Lower("email"), name="user_one_email_without_case"),)

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    def get_full_name(self) -> str:
        """Return the name, under which the admin looks for it."""
        return self.name

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Tell whether they may come in at all."""
        return self.status == self.Status.ACTIVE

    @property
    def is_staff(self) -> bool:
        """Tell whether the admin opens for them."""
        return self.is_active and self.role in DESK_ROLES

    def get_session_auth_hash(self) -> str:
        """Return what every session is tied to: it ends with the password and with the epoch."""
        return f"{super().get_session_auth_hash()}.{self.login_epoch}"

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """Yield what sessions made under a former SECRET_KEY are tied to."""
        for session_hash in super().get_session_auth_fallback_hash():
            yield f"{session_hash}.{self.login_epoch}"

    def has_perm(self, perm: str, obj: models.Model | None = None) -> bool:
        """Tell whether their role, an extra right or a group grants a permission."""
        if not self.is_active:
            return False
        return role_grants(self.role, perm) or perm in self.permissions or super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        """Tell whether the admin shows them an app."""
        if not self.is_active:
            return False
        return (
            role_grants(self.role, f"{app_label}.view_any")
            or any(right.startswith(f"{app_label}.") for right in self.permissions)
            or super().has_module_perms(app_label)
        )
