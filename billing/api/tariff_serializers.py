"""Tariffs as they go out: what each version charges, as data and in words."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Tariff, TariffComponent, TariffVersion
from billing.selectors.tariffs import words_of


class PeriodWordsOut(serializers.Serializer[Any]):
    """A period of a component: its price, and when it applies; ``when`` is empty where it never does."""

    name = serializers.CharField()
    price = serializers.CharField()
    when = serializers.CharField(allow_blank=True)


class WordsOut(serializers.Serializer[Any]):
    """A component in plain words; periods where it has more than one."""

    summary = serializers.CharField()
    periods = PeriodWordsOut(many=True)


class TariffComponentOut(serializers.ModelSerializer[TariffComponent]):
    """One thing that a version charges for."""

    terms = serializers.JSONField(read_only=True)
    words = serializers.SerializerMethodField()

    class Meta:
        model = TariffComponent
        fields = ("kind", "name", "terms", "words")
        read_only_fields = fields

    @extend_schema_field(WordsOut(allow_null=True))
    def get_words(self, component: TariffComponent) -> dict[str, Any] | None:
        """Say what it charges; null where its data say nothing sound."""
        (said,) = words_of([component], self.context["currency"])
        return WordsOut(said.words).data if said.words else None


class TariffVersionOut(serializers.ModelSerializer[TariffVersion]):
    """Prices in a period of local days: ``from`` is the first, ``to`` the first day after; null where open.

    ``revision`` counts corrections; the latest is the one that stands here.
    """

    components = TariffComponentOut(many=True)

    class Meta:
        model = TariffVersion
        fields = ("name", "revision", "components")
        read_only_fields = fields

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        days = {
            "from": serializers.DateField(source="effective.lower", allow_null=True),
            "to": serializers.DateField(source="effective.upper", allow_null=True),
        }
        return {**super().get_fields(), **days}


class TariffOut(serializers.ModelSerializer[Tariff]):
    """A tariff with its versions, oldest first; ``service_class`` is empty where it is for all service points."""

    tax = serializers.CharField(source="tax.code", default=None, allow_null=True)
    versions = serializers.SerializerMethodField()

    class Meta:
        model = Tariff
        fields = ("code", "name", "currency", "tax", "service_class", "is_default", "source", "versions")
        read_only_fields = fields

    @extend_schema_field(TariffVersionOut(many=True))
    def get_versions(self, tariff: Tariff) -> Any:
        """Return the versions in force, whose words are in the tariff's currency."""
        context = {**self.context, "currency": tariff.currency}
        return TariffVersionOut(tariff.versions.all(), many=True, context=context).data
