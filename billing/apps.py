from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from billing.selectors.stakes import price_of
        from billing.services import listening
        from meters.insights.services.prices import register_price
        from meters.services.outbox import register_consumer

        register_price(price_of)
        register_consumer(listening.CONSUMER, kinds=listening.KINDS, handle=listening.hear)
