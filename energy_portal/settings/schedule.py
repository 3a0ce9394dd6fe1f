"""What the portal does by itself, and when (in CELERY_TIMEZONE); each task is idempotent."""

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    "partitions-ahead": {
        "task": "meters.tasks.make_partitions",
        "schedule": crontab(minute="30", hour="0"),
    },
    "gaps": {
        "task": "meters.tasks.watch_gaps",
        "schedule": crontab(minute="10,40"),
    },
    "events": {
        "task": "meters.tasks.deliver_events",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "settle-readings": {
        "task": "meters.tasks.settle",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "hours-of-devices": {
        "task": "meters.devices.tasks.roll_up_hours",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "alarms": {
        "task": "meters.tasks.advance_alarms",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "mail-about-alarms": {
        "task": "meters.tasks.mail_about_alarms",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "forget-notices-of-alarms": {
        "task": "meters.tasks.forget_alarm_notices",
        "schedule": crontab(minute="50", hour="3"),
    },
    "states-of-devices": {
        "task": "meters.devices.tasks.refresh_states",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "watch-devices": {
        "task": "meters.devices.tasks.watch_devices",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "watch-batteries": {
        "task": "meters.batteries.tasks.watch_batteries",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "watch-silent-batteries": {
        "task": "meters.batteries.tasks.watch_silent_batteries",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "quarters-of-batteries": {
        "task": "meters.batteries.tasks.roll_up_quarters",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "trends-of-batteries": {
        "task": "meters.insights.tasks.trends.measure_batteries",
        "schedule": crontab(minute="25", hour="8"),
    },
    "days-of-samples-ahead": {
        "task": "meters.devices.tasks.make_sample_days",
        "schedule": crontab(minute="35", hour="0"),
    },
    "months-of-battery-readings-ahead": {
        "task": "meters.batteries.tasks.make_reading_months",
        "schedule": crontab(minute="40", hour="0"),
    },
    "archive-samples": {
        "task": "meters.devices.tasks.archive_samples",
        "schedule": crontab(minute="20", hour="3"),
    },
    "score-half-hours": {
        "task": "meters.insights.tasks.anomalies.score",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "learn-what-is-usual": {
        "task": "meters.insights.tasks.anomalies.learn",
        "schedule": crontab(minute="20"),
    },
    "teach-detectors-of-anomalies": {
        "task": "meters.insights.tasks.anomalies.teach",
        "schedule": crontab(minute="40", hour="4", day_of_week="0"),
    },
    "bills-of-last-month": {
        "task": "billing.tasks.run_last_month",
        "schedule": crontab(minute="0", hour="1", day_of_month="2"),
    },
    "bill-runs-that-stand-still": {
        "task": "billing.tasks.resume_runs",
        "schedule": crontab(minute="*/5"),
        "options": {"expires": 300},
    },
    "mail-bills": {
        "task": "billing.tasks.mail_bills",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "archive-bills": {
        "task": "billing.tasks.archive_bills",
        "schedule": crontab(minute="30", hour="4", day_of_month="5"),
    },
    "bills-to-rate-anew": {
        "task": "billing.tasks.resume_reratings",
        "schedule": crontab(minute="*/15"),
    },
    "bank-imports-that-stand-still": {
        "task": "billing.tasks.resume_bank_imports",
        "schedule": crontab(minute="*/5"),
        "options": {"expires": 300},
    },
    "reminders": {
        "task": "billing.tasks.remind_overdue",
        "schedule": crontab(minute="0", hour="9"),
    },
    "jobs-that-wait": {
        "task": "meters.tasks.resume_jobs",
        "schedule": crontab(minute="*/5"),
    },
    "forget-files-of-jobs": {
        "task": "meters.tasks.forget_files",
        "schedule": crontab(minute="40", hour="3"),
    },
    "forget-changes-of-the-registry": {
        "task": "meters.tasks.forget_registry_changes",
        "schedule": crontab(minute="45", hour="3"),
    },
    "forget-positions-of-agents": {
        "task": "field_ops.tasks.forget_positions",
        "schedule": crontab(minute="35", hour="3"),
    },
    "work-that-is-overdue": {
        "task": "field_ops.tasks.mark_overdue",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "rounds": {
        "task": "field_ops.tasks.make_rounds",
        "schedule": crontab(minute="15"),
    },
    "mail-about-work": {
        "task": "field_ops.tasks.mail_notices",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "forget-uploads-of-photos": {
        "task": "field_ops.tasks.forget_uploads",
        "schedule": crontab(minute="55", hour="3"),
    },
    "submissions-without-their-photo": {
        "task": "field_ops.tasks.settle_stranded",
        "schedule": crontab(minute="50", hour="2"),
    },
    "sweep-photos": {
        "task": "field_ops.tasks.sweep_photos",
        "schedule": crontab(minute="0", hour="4"),
    },
    "forget-what-lapsed": {
        "task": "accounts.tasks.forget",
        "schedule": crontab(minute="30", hour="3"),
    },
    "nights-of-forecasts": {
        "task": "meters.insights.tasks.forecasts.ask_for_forecasts",
        "schedule": crontab(minute="20"),
        "options": {"expires": 3_000},
    },
    "models-of-forecasts": {
        "task": "meters.insights.tasks.forecasts.ask_for_training",
        "schedule": crontab(minute="10", hour="3", day_of_week="sunday"),
    },
    "forget-forecasts": {
        "task": "meters.insights.tasks.forecasts.forget_forecasts",
        "schedule": crontab(minute="25", hour="4"),
    },
    "score-forecasts": {
        "task": "meters.insights.tasks.scoring.score_forecasts",
        "schedule": crontab(minute="25"),
        "options": {"expires": 3_000},
    },
    "diagnose-appliances": {
        "task": "meters.insights.tasks.faults.diagnose_appliances",
        "schedule": crontab(minute="10"),
        "options": {"expires": 3_000},
    },
    "judge-models-of-forecasts": {
        "task": "meters.insights.tasks.scoring.judge_forecast_models",
        "schedule": crontab(minute="45", hour="5"),
    },
}
