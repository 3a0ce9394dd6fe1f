from django.apps import AppConfig


class FieldOpsConfig(AppConfig):
    name = "field_ops"
    verbose_name = "Field operations"

    def ready(self) -> None:
        from field_ops.services import listening
        from meters.services.outbox import register_consumer

        register_consumer(listening.CONSUMER, kinds=listening.KINDS, handle=listening.hear)
