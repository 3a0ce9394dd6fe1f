"""Everything that the portal reads from its environment; the other modules hold differences only."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import django_stubs_ext
import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy
from kombu import Queue

from energy_portal.settings import admin_site
from energy_portal.settings.schedule import SCHEDULE
from energy_portal.shared.endpoints import endpoints_of
from energy_portal.shared.logs import logging_settings

# Lets annotations name what a generic admin, view or queryset is of.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

PORTAL_HOME = Path(env.str("PORTAL_HOME", str(BASE_DIR / ".portal"))).resolve()
PORTAL_HOST = env.str("PORTAL_HOST", "127.0.0.1")
PORTAL_PORT = env.int("PORTAL_PORT", 8000)
PORTAL_WORKERS = env.int("PORTAL_WORKERS", 2)
PORTAL_TLS_CERT = env.str("PORTAL_TLS_CERT", "")
PORTAL_TLS_KEY = env.str("PORTAL_TLS_KEY", "")
PORTAL_URL = env.str("PORTAL_URL", f"http{'s' if PORTAL_TLS_CERT else ''}://{PORTAL_HOST}:{PORTAL_PORT}")

_embedded = endpoints_of(PORTAL_HOME)
DATABASE_URL = env.str("DATABASE_URL", "") or _embedded.database_url
REDIS_URL = env.str("REDIS_URL", "") or _embedded.redis_url
MQTT_URL = env.str("MQTT_URL", "") or _embedded.mqtt_url

SECRET_KEY = env.str("SECRET_KEY", "")
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", PORTAL_HOST])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ORIGINS", default=[])

INSTALLED_APPS = [
    "energy_portal",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "django_htmx",
    "js_lib_leaflet",
    "corsheaders",
    "csp",
    "axes",
    "channels",
    "accounts",
    "meters",
    "meters.devices",
    "meters.batteries",
    "meters.insights",
    "billing",
    "field_ops",
]

MIDDLEWARE = [
    "energy_portal.shared.observability.request_metrics",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "energy_portal.shared.admin_policy.admin_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.pages.preferences.language_ends",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.pages.preferences.chosen_language",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "energy_portal.urls"
ASGI_APPLICATION = "energy_portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "billing.pages.navigation.customer_navigation",
            ],
        },
    },
]

DATABASES = {"default": {**environ.Env.db_url_config(DATABASE_URL), "ENGINE": "django.db.backends.postgresql"}}
DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),
    "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", 8), "timeout": 15},
}
# A pooled connection that died with its server is replaced, not handed out.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "energy_portal.shared.cache.SharedRedisCache", "LOCATION": REDIS_URL}}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL}]},
    },
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 3_600
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 2 * CELERY_TASK_TIME_LIMIT}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
# A worker that is told nothing else takes from all of them; a task for another queue is refused when it is sent.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("default", "billing", "devices", "insights")]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "Asia/Singapore"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ROUTES = {
    "billing.tasks.*": {"queue": "billing"},
    "meters.devices.tasks.*": {"queue": "devices"},
    "meters.batteries.tasks.*": {"queue": "devices"},
    "meters.insights.tasks.*": {"queue": "insights"},
}
CELERY_BEAT_SCHEDULE = SCHEDULE

AUTH_USER_MODEL = "accounts.User"
# E-mail addresses are unique regardless of case, by a constraint that this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
CSRF_FAILURE_VIEW = "energy_portal.shared.error_pages.csrf_failure"
LOGIN_URL = reverse_lazy("accounts:login")
LOGIN_REDIRECT_URL = reverse_lazy("billing:landing")
LOGOUT_REDIRECT_URL = reverse_lazy("accounts:login")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", 10)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
AXES_CLIENT_IP_CALLABLE = "energy_portal.shared.callers.client_address"
AXES_USERNAME_CALLABLE = "accounts.pages.lockout.login_name"
AXES_LOCKOUT_CALLABLE = "accounts.pages.lockout.locked_out"

_CONTENT_DIRECTIVES = {
    "default-src": [SELF],
    "img-src": [SELF, "data:"],
    "style-src": [SELF, UNSAFE_INLINE],
    "object-src": [NONE],
    "base-uri": [SELF],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _CONTENT_DIRECTIVES}
ADMIN_CONTENT_SECURITY_POLICY = {
    **_CONTENT_DIRECTIVES,
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
}

UNFOLD = admin_site.UNFOLD
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文"), ("ms", "Bahasa Melayu")]
LOCALE_PATHS = [BASE_DIR / "energy_portal" / "locale"]
FORMAT_MODULE_PATH = ["energy_portal.formats"]
TIME_ZONE = "Asia/Singapore"
SITE_ZONE = TIME_ZONE
SITE_HOLIDAYS = frozenset(map(date.fromisoformat, env.list("SITE_HOLIDAYS", default=[])))
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
UPLOAD_DIR = Path(env.str("UPLOAD_DIR", str(PORTAL_HOME / "media")))
MEDIA_ROOT = UPLOAD_DIR
ARCHIVE_DIR = Path(env.str("ARCHIVE_DIR", str(PORTAL_HOME / "archive")))
MAX_FILE_SIZE = env.int("MAX_FILE_SIZE", 10 * 1024 * 1024)
JOB_FILE_DAYS = env.int("JOB_FILE_DAYS", 30)
BATTERY_IMPORT_MEMORY_MB = env.int("BATTERY_IMPORT_MEMORY_MB", 160)
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", 11 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
BODY_TIMEOUT_SECONDS = env.int("BODY_TIMEOUT_SECONDS", 120)
DRAIN_SECONDS = 5

# The first full hour after a zone's midnight in which its forecasts are made.
FORECAST_HOUR = env.int("FORECAST_HOUR", 1)
FORECAST_DAYS_KEPT = env.int("FORECAST_DAYS_KEPT", 400)
# A model is taught by so many series at most, as many days of them as are known, and so many origins in all.
FORECAST_TRAINING_SERIES = env.int("FORECAST_TRAINING_SERIES", 150)
FORECAST_TRAINING_DAYS = env.int("FORECAST_TRAINING_DAYS", 420)
FORECAST_TRAINING_ORIGINS = env.int("FORECAST_TRAINING_ORIGINS", 4_000)
FORECAST_MODEL_DAYS_KEPT = env.int("FORECAST_MODEL_DAYS_KEPT", 180)

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Energy portal <portal@localhost>")

BILL_ISSUER_NAME = env.str("BILL_ISSUER_NAME", "Energy portal")
BILL_ISSUER_ADDRESS = env.str("BILL_ISSUER_ADDRESS", "")
BILL_ISSUER_CONTACT = env.str("BILL_ISSUER_CONTACT", DEFAULT_FROM_EMAIL)
# A draft of which more is estimated waits for readings, or for a manager's leave.
BILL_MAX_ESTIMATED_SHARE = Decimal(env.str("BILL_MAX_ESTIMATED_SHARE", "0.5"))
BILL_RUN_BY_CALENDAR = env.str("BILL_RUN_BY_CALENDAR", "issue")
BILL_RUN_PROCESSES = env.int("BILL_RUN_PROCESSES", 2)
BILL_HOW_TO_PAY = env.str("BILL_HOW_TO_PAY", "")
BILL_MAIL = env.bool("BILL_MAIL", True)
BILL_MAIL_PDF = env.bool("BILL_MAIL_PDF", True)
BILL_MAILS_A_MINUTE = env.int("BILL_MAILS_A_MINUTE", 300)
BILL_ARCHIVE_MONTHS = env.int("BILL_ARCHIVE_MONTHS", 24)
CORRECTION_SMALL = Decimal(env.str("CORRECTION_SMALL", "20.00"))
DISPUTES_A_DAY = env.int("DISPUTES_A_DAY", 5)
BILL_DUE_DAYS = env.int("BILL_DUE_DAYS", 21)
# Days after the due day on which the first, the second and each further reminder goes out.
REMINDER_DAYS = sorted(env.list("REMINDER_DAYS", cast=int, default=[5, 15, 30]))
PAYMENT_LINK = env.str("PAYMENT_LINK", "")
PAYMENT_LINK_SECRET = env.str("PAYMENT_LINK_SECRET", "")
BANK_FILE_LINES = env.int("BANK_FILE_LINES", 50_000)

TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)
READING_ACCEPTANCE_DAYS = env.int("READING_ACCEPTANCE_DAYS", 5 * 366)
READING_FUTURE_TOLERANCE = timedelta(minutes=5)
READING_RETENTION_MONTHS = env.int("READING_RETENTION_MONTHS", 24)
READING_BATCH_LIMIT = env.int("READING_BATCH_LIMIT", 20_000)

DEVICE_ACCEPTANCE_DAYS = env.int("DEVICE_ACCEPTANCE_DAYS", 35)
DEVICE_FUTURE_TOLERANCE = timedelta(minutes=5)
DEVICE_RETENTION_DAYS = env.int("DEVICE_RETENTION_DAYS", 90)
DEVICE_HOLD_SECONDS = env.int("DEVICE_HOLD_SECONDS", 900)
DEVICE_OFFLINE_SECONDS = env.int("DEVICE_OFFLINE_SECONDS", 900)
DEVICE_QUEUE_ROWS = env.int("DEVICE_QUEUE_ROWS", 20_000)
DEVICE_COMMIT_ROWS = env.int("DEVICE_COMMIT_ROWS", 10_000)
DEVICE_BATCH_LIMIT = env.int("DEVICE_BATCH_LIMIT", 10_000)
DEVICE_CACHE_DEVICES = env.int("DEVICE_CACHE_DEVICES", 2_500_000)
DEVICE_MESSAGES_PER_SECOND = env.int("DEVICE_MESSAGES_PER_SECOND", 20_000)
COMMAND_EXPIRY_SECONDS = env.int("COMMAND_EXPIRY_SECONDS", 60)
MQTT_PREFIX = env.str("MQTT_PREFIX", "voltguard")
# The embedded broker breaks when a member of a shared subscription leaves.
MQTT_SHARED_GROUP = env.str("MQTT_SHARED_GROUP", "portal" if env.str("MQTT_URL", "") else "")
MQTT_SOURCE = env.str("MQTT_SOURCE", "")

FIELD_GEOFENCE_M = env.int("FIELD_GEOFENCE_M", 100)
FIELD_AUDIT_SHARE = env.float("FIELD_AUDIT_SHARE", 0.05)
FIELD_DUE_DAYS = env.int("FIELD_DUE_DAYS", 14)
AGENT_POSITION_DAYS = env.int("AGENT_POSITION_DAYS", 30)
MAP_TILE_URL = env.str("MAP_TILE_URL", "")

# A model of forecasts whose error over so many days is by more than this share above what was there before goes back.
FORECAST_WORSE_DAYS = env.int("FORECAST_WORSE_DAYS", 14)
FORECAST_WORSE_MARGIN = env.float("FORECAST_WORSE_MARGIN", 0.05)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.DataSourceAuthentication",
        "accounts.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.IsPerson"],
    "DEFAULT_RENDERER_CLASSES": ["energy_portal.shared.api.ProblemAwareJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["energy_portal.shared.api.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "energy_portal.shared.api.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_THROTTLE_CLASSES": ["energy_portal.shared.api.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "anonymous": env.str("THROTTLE_ANONYMOUS", "60/min"),
        "user": env.str("THROTTLE_USER", "600/min"),
        "source": env.str("THROTTLE_SOURCE", "6000/min"),
    },
    "EXCEPTION_HANDLER": "energy_portal.shared.api.problem_details",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 50,
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Energy portal",
    "DESCRIPTION": "Accounts, readings, consumption and bills.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "BillStatus": "billing.models.bills.Bill.Status",
        "BillKind": "billing.models.bills.Bill.Kind",
        "BillLineKind": "billing.models.bills.BillLine.Kind",
        "CorrectionCause": "billing.models.corrections.Correction.Cause",
        "DifferenceCause": "billing.explaining.Cause",
        "CorrectionStatus": "billing.models.corrections.Correction.Status",
        "DisputeStatus": "billing.models.corrections.Dispute.Status",
        "DisputeReason": "billing.models.corrections.Dispute.Reason",
        "PaymentKind": "billing.models.balance.Payment.Kind",
        "PaymentOrigin": "billing.models.balance.Payment.Origin",
        "AssignmentOrigin": "field_ops.models.work.Assignment.Origin",
        "JobStatus": "meters.models.work.Job.Status",
        "Commodity": "meters.models.places.Commodity",
        "ExceptionStatus": "meters.models.readings.ReadingException.Status",
        "Quality": "meters.models.readings.Quality",
        "Severity": "meters.models.rules.Severity",
        "AlarmSubject": "meters.models.alarms.SubjectKind",
        "InsightSubject": "meters.insights.models.subjects.Subject",
        "AlarmSeverity": "meters.models.alarms.AlarmSeverity",
        "RegistryStatus": "meters.devices.models.registry.Device.Status",
        "CommandStatus": "meters.devices.models.commands.Command.Status",
        "AgentStatus": "field_ops.models.agents.Agent.Status",
        "AssignmentStatus": "field_ops.models.work.Assignment.Status",
        "MeterStatus": "meters.models.places.Meter.Status",
        "RegionStatus": "meters.models.regions.Region.Status",
        "ReceiptStatus": (("ok", "ok"),),
        "SubmissionStatus": "field_ops.models.submissions.Submission.Status",
        "ApprovalStatus": "field_ops.models.approvals.ApprovalRequest.Status",
        "AnomalyVerdict": "meters.insights.models.anomalies.Anomaly.Verdict",
        "FaultKind": "meters.insights.models.faults.Fault.Kind",
        "FaultState": "meters.insights.models.faults.Fault.State",
        "ApplianceKind": "meters.insights.models.faults.Appliance.Kind",
        "ApplianceStanding": "meters.insights.models.faults.Appliance.Standing",
    },
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.int("ACCESS_TOKEN_EXPIRE_MINUTES", 15)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.int("REFRESH_TOKEN_EXPIRE_DAYS", 7)),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
    "CHECK_REVOKE_TOKEN": True,
}

LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", "text")
LOGGING_CONFIG = "energy_portal.shared.logs.configure"
LOGGING = logging_settings(LOG_LEVEL, LOG_FORMAT)
