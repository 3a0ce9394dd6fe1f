from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "meters.devices"
    label = "devices"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from meters.devices.services.retention import run_archive, run_restore
        from meters.models import Job
        from meters.services.jobs import register_runner

        register_runner(Job.Kind.ARCHIVE_SAMPLES, run_archive)
        register_runner(Job.Kind.RESTORE_SAMPLES, run_restore)
