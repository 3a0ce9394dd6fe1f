"""What comes in and goes out of the API of accounts."""

from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from rest_framework import serializers

from accounts.models import AccountAccess, CustomerAccount, DataSource, FamilyMember, Invitation, SourceKey, User
from accounts.models.customers import Right
from accounts.roles import Scope


class MeOut(serializers.ModelSerializer[User]):
    """The person behind a token."""

    class Meta:
        model = User
        fields = (
            "id",
            "email",
            "name",
            "role",
            "status",
            "phone",
            "department",
            "region",
            "permissions",
            "language",
            "zone",
            "theme",
            "last_login",
        )


class MeIn(serializers.Serializer[Any]):
    """What people may change of themselves."""

    name = serializers.CharField(max_length=150, required=False)
    phone = serializers.CharField(max_length=32, required=False, allow_blank=True)
    language = serializers.ChoiceField(choices=User.Language.choices, required=False, allow_blank=True)
    zone = serializers.CharField(max_length=64, required=False, allow_blank=True)
    theme = serializers.ChoiceField(choices=User.Theme.choices, required=False)


class NotificationsIn(serializers.Serializer[Any]):
    """Kinds of news, each with whether one wants to be told of it."""

    bill_issued = serializers.BooleanField(required=False)
    reminder = serializers.BooleanField(required=False)
    alarm = serializers.BooleanField(required=False)
    correction = serializers.BooleanField(required=False)
    household = serializers.BooleanField(required=False)


class AccountOut(serializers.ModelSerializer[CustomerAccount]):
    """A customer account."""

    time_zone = serializers.CharField(source="zone")

    class Meta:
        model = CustomerAccount
        fields = ("id", "number", "owner_name", "email", "address", "time_zone", "status", "created_at", "updated_at")


class FamilyMemberIn(serializers.Serializer[Any]):
    """Somebody to add to an account."""

    name = serializers.CharField(max_length=150)
    relationship = serializers.CharField(max_length=50)


class FamilyMemberOut(serializers.ModelSerializer[FamilyMember]):
    """Somebody who lives on an account."""

    class Meta:
        model = FamilyMember
        fields = ("id", "name", "relationship", "created_at")


class AccessOut(serializers.ModelSerializer[AccountAccess]):
    """Who may do what with an account, since when and until when."""

    name = serializers.CharField(source="user.name")
    email = serializers.EmailField(source="user.email")
    start = serializers.DateTimeField(source="valid.lower", allow_null=True)
    end = serializers.DateTimeField(source="valid.upper", allow_null=True)

    class Meta:
        model = AccountAccess
        fields = ("id", "name", "email", "right", "start", "end")


class AccessIn(serializers.Serializer[Any]):
    """What an access is to be from now on."""

    right = serializers.ChoiceField(choices=Right.choices, required=False)
    end = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: without an end.")


class InvitationIn(serializers.Serializer[Any]):
    """Whom to invite, to what, and for how long."""

    email = serializers.EmailField()
    right = serializers.ChoiceField(choices=Right.choices, default=Right.VIEW)
    start = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="Not before acceptance.")
    end = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn start and end into a period."""
        start, end = attrs.pop("start"), attrs.pop("end")
        if start is not None and end is not None and end <= start:
            raise serializers.ValidationError({"end": "It must come after the start."})
        return {**attrs, "valid": DateTimeTZRange(start, end, "[)")}


class InvitationOut(serializers.ModelSerializer[Invitation]):
    """An offer of access to an account."""

    start = serializers.DateTimeField(source="valid.lower", allow_null=True)
    end = serializers.DateTimeField(source="valid.upper", allow_null=True)

    class Meta:
        model = Invitation
        fields = ("id", "email", "right", "start", "end", "created_at", "expires_at", "accepted_at", "revoked_at")


class SourceIn(serializers.Serializer[Any]):
    """A machine to admit."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False)
    label_convention = serializers.ChoiceField(
        choices=DataSource.LabelConvention.choices, default=DataSource.LabelConvention.PERIOD_END
    )
    zone = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    may_create_devices = serializers.BooleanField(default=False)
    messages_per_minute = serializers.IntegerField(
        min_value=1, max_value=2_147_483_647, required=False, allow_null=True, default=None
    )


class SourceKeyOut(serializers.ModelSerializer[SourceKey]):
    """What may be told of a key."""

    class Meta:
        model = SourceKey
        fields = ("id", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")


class SourceOut(serializers.ModelSerializer[DataSource]):
    """A data source and its keys."""

    id = serializers.UUIDField(source="public_id")
    keys = SourceKeyOut(many=True)

    class Meta:
        model = DataSource
        fields = (
            "id",
            "name",
            "scopes",
            "label_convention",
            "zone",
            "may_create_devices",
            "messages_per_minute",
            "revoked_at",
            "created_at",
            "keys",
        )


class NewKeyOut(serializers.Serializer[Any]):
    """A key, readable this once."""

    id = serializers.UUIDField(help_text="Of the data source.")
    key = serializers.CharField()
