from django.apps import AppConfig


class BatteriesConfig(AppConfig):
    name = "meters.batteries"
    label = "batteries"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from energy_portal.shared.lifespan import on_ending
        from meters.batteries.services.news import listen
        from meters.batteries.streams import broadcast, end_streams

        listen(broadcast)
        on_ending(end_streams)
