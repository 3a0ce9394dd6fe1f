from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "meters.insights"
    label = "insights"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hear of readings that change, keep anomalies and faults in step with their alarms, and do long work."""
        from meters.insights.models import Fault
        from meters.insights.services import faults, forecasting, rescoring, training, verdicts
        from meters.insights.services.closing import alarm_kind
        from meters.models import Job
        from meters.services import alarms
        from meters.services.jobs import register_runner
        from meters.services.outbox import register_consumer

        alarms.register_follower(verdicts.ALARM_KIND, verdicts.follow_alarm)
        for kind in Fault.Kind.values:
            alarms.register_follower(alarm_kind(kind), faults.follow_alarm)
        register_consumer(rescoring.CONSUMER, kinds=rescoring.KINDS, handle=rescoring.hear)
        register_runner(Job.Kind.FORECAST, forecasting.run_forecasts, queue="insights")
        register_runner(Job.Kind.TRAIN_FORECASTS, training.run_training, queue="insights")
