from django.apps import AppConfig


class MetersConfig(AppConfig):
    name = "meters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from energy_portal.shared.observability import watch
        from meters.selectors.events import oldest_events, waiting_events

        watch("portal_outbox_waiting", "Events that wait for a consumer.", label="consumer", read=waiting_events)
        watch(
            "portal_outbox_oldest_timestamp_seconds",
            "When the oldest event that waits was written.",
            label="consumer",
            read=oldest_events,
        )
