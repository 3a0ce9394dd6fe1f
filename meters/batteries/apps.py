from django.apps import AppConfig


class BatteriesConfig(AppConfig):
    name = "meters.batteries"
    label = "batteries"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from energy_portal.shared.lifespan import on_ending
        from meters.batteries.quantities import System
        from meters.batteries.services import mqtt
        from meters.batteries.services.import_uploads import run_battery_import
        from meters.batteries.services.live import take_now
        from meters.batteries.services.news import listen
        from meters.batteries.streams import broadcast, end_streams
        from meters.devices.gateway.routes import Route, add_route
        from meters.models import Job
        from meters.services.jobs import register_runner

        register_runner(Job.Kind.IMPORT_BATTERY, run_battery_import)
        listen(broadcast)
        on_ending(end_streams)
        add_route("batteries", Route(tuple(System), mqtt.understand, take_now))
