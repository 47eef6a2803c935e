"""Django settings; environment variables are read by ``controller.environment``."""

import os
from pathlib import Path

from environs import validate

from controller import storage_settings
from controller.beat_schedule import QUEUES, ROUTES, timetable
from controller.components import INSTALLED_APPS, MIDDLEWARE
from controller.dialects.openapi.settings import SPECTACULAR_SETTINGS
from controller.dialects.rest_framework import REST_FRAMEWORK
from controller.environment import (
    broker_address,
    databases,
    encryption_keys,
    env,
    logs,
    media_storage,
    origin,
    overlay_prefix,
    redis_cache,
    secret,
    single_sign_on,
    tiles,
)
from controller.network_settings import *  # noqa: F403 - each is a setting
from controller.storage_settings import *  # noqa: F403 - each is a setting
from controller.theme import CONTEXT_PROCESSORS, UNFOLD

__all__ = ["INSTALLED_APPS", "MIDDLEWARE"]

BASE_DIR = Path(__file__).resolve().parent.parent
# Directory of media, static files, and the database of a small portal.
DATA_DIR = Path(env.str("MUSTER_DATA_DIR", str(BASE_DIR / "var")))
DATA_DIR.mkdir(parents=True, exist_ok=True)

# Development mode: shows code in error pages and needs no secrets. Never in production.
DEBUG = env.bool("DEBUG", False)
# Signs sessions and links; at least 50 random characters.
SECRET_KEY = secret("SECRET_KEY", debug=DEBUG)
MUSTER_ENCRYPTION_KEYS = encryption_keys(debug=DEBUG)

# Host names under which the portal may be requested.
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
# Other origins that may submit forms, such as https://other.example.org.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Addresses of reverse proxies with trusted X-Forwarded-For and X-Forwarded-Proto headers.
TRUSTED_PROXIES: list[str] = env.list("MUSTER_TRUSTED_PROXIES", [])
# Concurrent requests per web process; each thread keeps a database connection.
WEB_THREADS = env.int("MUSTER_WEB_THREADS", 4)
# Concurrent requests that wait for other machines, per web process and kind of machine
# (supervisors, gateways, streams, other services). They do not use the threads above.
WAITING_THREADS = env.int("MUSTER_WAITING_THREADS", 16)
# Public URL of the portal for users and devices, for example https://muster.example.org.
MUSTER_PUBLIC_URL = env.str("MUSTER_PUBLIC_URL", "").rstrip("/")

# How PgBouncer, or another pooler between portal and PostgreSQL, lends out connections: session or
# transaction. Without a pooler: session.
DATABASE_POOLING = env.str(
    "MUSTER_DATABASE_POOLING", "session", validate=validate.OneOf(["session", "transaction"])
)
# Database URL of a read replica, for reads of people and programs that may be a second old; empty
# for none.
MUSTER_REPLICA_URL = env.str("MUSTER_REPLICA_URL", "")
DATABASES = databases(DATA_DIR, replica=MUSTER_REPLICA_URL, pooling=DATABASE_POOLING)
DATABASE_ROUTERS = ["controller.base.replica.Router"] if MUSTER_REPLICA_URL else []
# GDAL before 3.9 can open files and URLs named in geometry. No user input reaches it: geometry
# is read from WKT and GeoJSON by GEOS alone.
SILENCED_SYSTEM_CHECKS = ["gis.W001"]
SPATIALITE_LIBRARY_PATH = "mod_spatialite"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis server for caches, presence of devices, and messages to workers. With Sentinels:
# redis+sentinel://:password@host:26379,host:26379/service/0.
REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {"default": redis_cache(REDIS_URL)}

ROOT_URLCONF = "controller.urls"
WSGI_APPLICATION = "controller.asgi.django_application"
_LOADERS = ["controller.base.template_loader.Loader"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            # With DEBUG, a changed template shows without a restart.
            "loaders": _LOADERS
            if DEBUG
            else [("django.template.loaders.cached.Loader", _LOADERS)],
            "context_processors": CONTEXT_PROCESSORS,
        },
    }
]

# Widgets use the same template directories as pages.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Key that seals the audit log. Default: the oldest encryption key. Before retiring that key,
# set this to its value.
MUSTER_AUDIT_KEY = env.str("MUSTER_AUDIT_KEY", "") or MUSTER_ENCRYPTION_KEYS[-1]

# --- accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "controller.accounts.rules.EmailOrUsernameBackend",
    # Object permissions: shares of overlay networks.
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None  # read by django-guardian: anonymous users have no permissions
# Argon2id as OWASP advises; the second hasher is for imported passwords.
PASSWORD_HASHERS = [
    "controller.base.secrets.Argon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# Allow self-registration; new accounts have no rights until invited.
MUSTER_REGISTRATION = env.bool("MUSTER_REGISTRATION", False)
# URL of the OpenID Connect provider for single sign-on; empty disables it.
MUSTER_OIDC_URL = env.str("MUSTER_OIDC_URL", "").rstrip("/")
# Label of the single sign-on button.
MUSTER_OIDC_NAME = env.str("MUSTER_OIDC_NAME", "single sign-on")
# Create accounts for unknown users of the provider (without rights until invited).
MUSTER_OIDC_CREATES_USERS = env.bool("MUSTER_OIDC_CREATES_USERS", False)
SOCIALACCOUNT_ADAPTER = "controller.accounts.api.sso.views.Adapter"
SOCIALACCOUNT_PROVIDERS = single_sign_on(MUSTER_OIDC_URL, MUSTER_OIDC_NAME)
# Maximum number of API keys per user.
MUSTER_KEYS_PER_USER = env.int("MUSTER_KEYS_PER_USER", 50)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# --- limits; 0 disables a limit
# Requests per minute and user (or address).
MUSTER_REQUESTS_PER_MINUTE = env.int("MUSTER_REQUESTS_PER_MINUTE", 600)
# Requests per second and user (or address).
MUSTER_REQUESTS_PER_SECOND = env.int("MUSTER_REQUESTS_PER_SECOND", 120)
# Sign-in attempts per minute and address at /api/v1/auth/.
MUSTER_SIGN_INS_PER_MINUTE = env.int("MUSTER_SIGN_INS_PER_MINUTE", 5)
# Token requests per minute and address at /api/v1/users/.
MUSTER_TOKENS_PER_MINUTE = env.int("MUSTER_TOKENS_PER_MINUTE", 60)
# Sign-in attempts per minute and address on the pages of the admin.
MUSTER_PAGE_SIGN_INS_PER_MINUTE = env.int("MUSTER_PAGE_SIGN_INS_PER_MINUTE", 10)
# Registrations of devices per minute and address, by agents and by EST each.
MUSTER_REGISTRATIONS_PER_MINUTE = env.int("MUSTER_REGISTRATIONS_PER_MINUTE", 120)
# Maximum size of a request body, in bytes.
MUSTER_BODY_LIMIT = env.int("MUSTER_BODY_LIMIT", 1024 * 1024)
# Maximum size of a request with a file upload, in bytes.
MUSTER_UPLOAD_LIMIT = env.int("MUSTER_UPLOAD_LIMIT", 32 * 1024 * 1024)
# Maximum size of an uploaded device backup, in bytes; kept on disk, never in memory.
MUSTER_BACKUP_LIMIT = env.int("MUSTER_BACKUP_LIMIT", 16 * 1024 * 1024 * 1024)
# Bearer token with which Prometheus reads /metrics; empty allows superusers only.
MUSTER_METRICS_TOKEN = env.str("MUSTER_METRICS_TOKEN", "")
# Each process writes its counters to a file of its own.

# --- browsers and transport
# Require HTTPS in browsers.
MUSTER_HTTPS = env.bool("MUSTER_HTTPS", not DEBUG)
SECURE_SSL_REDIRECT = MUSTER_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if MUSTER_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = MUSTER_HTTPS
SECURE_HSTS_PRELOAD = MUSTER_HTTPS
# Device agents do not follow redirects, and many use plain HTTP inside a management VPN.
# Health probes bypass the TLS proxy.
SECURE_REDIRECT_EXEMPT = [
    r"^controller/",
    r"^pki/(crl|ca|ocsp)/",
    r"^health(/|$)",
    r"^/?api/v1/monitoring/device/[0-9a-f-]{32,36}/$",
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = MUSTER_HTTPS
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
# URL template of map tiles, such as https://tile.example.org/{z}/{x}/{y}.png; empty draws
# built-in coastlines and borders, without requests to the internet.
MUSTER_MAP_TILES = env.str("MUSTER_MAP_TILES", "")
# Attribution of the map tiles, shown on the map.
MUSTER_MAP_ATTRIBUTION = env.str("MUSTER_MAP_ATTRIBUTION", "")
LEAFLET_CONFIG = {"TILES": tiles(MUSTER_MAP_TILES, MUSTER_MAP_ATTRIBUTION)}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", *origin(MUSTER_MAP_TILES)],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        # The form editor and CodeMirror insert style elements, and unfold inserts its colors.
        "style-src": ["'self'", "'unsafe-inline'"],
        # No exceptions: Alpine is the CSP build without eval, and no page has inline scripts.
        "script-src": ["'self'"],
    }
}

# Read by libraries.
__all__ = ["REST_FRAMEWORK", "SPECTACULAR_SETTINGS", "UNFOLD"]

# --- places
# URL of a geocoder with Nominatim's API, such as https://nominatim.example.org; empty disables
# it.
MUSTER_GEOCODER_URL = env.str("MUSTER_GEOCODER_URL", "").rstrip("/")
# Maximum size of an uploaded floor plan, in bytes.
MUSTER_IMAGE_BYTES = env.int("MUSTER_IMAGE_BYTES", 10 * 1024 * 1024)
# Maximum number of pixels of an uploaded floor plan.
MUSTER_IMAGE_PIXELS = env.int("MUSTER_IMAGE_PIXELS", 36_000_000)

# --- monitoring
# How often devices with a management address are pinged, in seconds; 0 is never.
MUSTER_PING_SECONDS = env.int("MUSTER_PING_SECONDS", 300)
# How often devices without an agent are asked over SSH what they measure; 0 is never.
MUSTER_PULL_SECONDS = env.int("MUSTER_PULL_SECONDS", 300)
# Where samples are written to by Prometheus' remote write, such as
# http://127.0.0.1:8428/api/v1/write; charts are read from there. Empty keeps them in the database.
MUSTER_METRICS_URL = env.str("MUSTER_METRICS_URL", "")
# How many days measurements are kept in steps of five minutes.
MUSTER_METRICS_FINE_DAYS = env.int("MUSTER_METRICS_FINE_DAYS", 30)
# How many days they are kept in steps of an hour, with their mean, lowest and highest.
MUSTER_METRICS_HOUR_DAYS = env.int("MUSTER_METRICS_HOUR_DAYS", 400)
# How many days they are kept in steps of a day.
MUSTER_METRICS_DAY_DAYS = env.int("MUSTER_METRICS_DAY_DAYS", 1830)
# How many days sessions of Wi-Fi clients are kept; their addresses are personal data.
MUSTER_WIFI_SESSION_DAYS = env.int("MUSTER_WIFI_SESSION_DAYS", 30)
# --- supervisors of devices
# Whether calls that remove data or switch a device off name it again in X-Confirm.
MUSTER_SUPERVISOR_CONFIRM = env.bool("MUSTER_SUPERVISOR_CONFIRM", False)
# Days for which the history of supervisor calls is kept.
MUSTER_SUPERVISOR_HISTORY_DAYS = env.int("MUSTER_SUPERVISOR_HISTORY_DAYS", 365)

# --- firmware of devices
# Maximum size of an uploaded firmware image, in bytes; kept on disk, never in memory.
MUSTER_FIRMWARE_LIMIT = env.int("MUSTER_FIRMWARE_LIMIT", 256 * 1024 * 1024)
# Public usign keys whose signatures of images are trusted: the base64 line of each.
MUSTER_FIRMWARE_KEYS: list[str] = env.list("MUSTER_FIRMWARE_KEYS", [])
# Interval at which each device's firmware is read over SSH, in seconds.
MUSTER_FIRMWARE_READ_SECONDS = env.int("MUSTER_FIRMWARE_READ_SECONDS", 6 * 3600)
# Whether devices that reach MUSTER_PUBLIC_URL download their images from there, which costs the
# portal a fiftieth of the work of SSH. Others, and all if this is off, get them over SSH.
MUSTER_FIRMWARE_DOWNLOADS = env.bool("MUSTER_FIRMWARE_DOWNLOADS", True)
# Address of a sysupgrade server (ASU) that builds images with the packages of a device; empty
# disables it. OpenWrt's own is https://sysupgrade.openwrt.org.
MUSTER_ASU_URL: str = env.str("MUSTER_ASU_URL", "")
# How many devices may prepare and receive an image at the same time, in the whole portal.
MUSTER_FIRMWARE_TRANSFERS = env.int("MUSTER_FIRMWARE_TRANSFERS", 20)
# How many devices of one site may be upgraded at the same time, from the check to the return.
# With 1, two neighbors are never away together.
MUSTER_FIRMWARE_PER_SITE = env.int("MUSTER_FIRMWARE_PER_SITE", 1)
# Bytes a second that all transfers of images to one site share; 0 is no limit.
MUSTER_FIRMWARE_SITE_RATE = env.int("MUSTER_FIRMWARE_SITE_RATE", 0)
# Days for which the history of upgrades is kept.
MUSTER_FIRMWARE_HISTORY_DAYS = env.int("MUSTER_FIRMWARE_HISTORY_DAYS", 730)

# Directory of backups of Home Assistant devices.
MUSTER_BACKUP_DIR = env.str("MUSTER_BACKUP_DIR", str(DATA_DIR / "backups"))

# Proxy Home Assistant's own WebSocket for users with supervisor:remote.
MUSTER_HOME_REMOTE = env.bool("MUSTER_HOME_REMOTE", False)
# Domain under which add-on pages get host names of their own; empty disables ingress. Needs a
# wildcard DNS record and certificate that lead to the portal.
MUSTER_INGRESS_DOMAIN: str = env.str("MUSTER_INGRESS_DOMAIN", "").lower().strip(".")

# --- vendors' gateways
# Dry run for all gateways: changes are staged but never written to a gateway.
ADAPTER_READ_ONLY = env.bool("ADAPTER_READ_ONLY", env.bool("OMADA_READ_ONLY", True))
# Maximum number of pending changes per organization.
MUSTER_PENDING_CHANGES = env.int("MUSTER_PENDING_CHANGES", 2000)
# Allow gateways on this machine and without TLS; for demonstrations only.
MUSTER_LOCAL_GATEWAYS = env.bool("MUSTER_LOCAL_GATEWAYS", False)
# Timeout of requests to a gateway, in seconds.
MUSTER_GATEWAY_SECONDS = env.float("MUSTER_GATEWAY_SECONDS", 10.0)
# Seconds after which a change without an answer from its gateway is verified.
MUSTER_GATEWAY_EFFECT_SECONDS = env.float("MUSTER_GATEWAY_EFFECT_SECONDS", 4.0)
MUSTER_GATEWAY_SETTLE_SECONDS = env.int("MUSTER_GATEWAY_SETTLE_SECONDS", 90)
# Seconds for which an unconfirmed write is checked, as it may still arrive.
MUSTER_GATEWAY_WATCH_SECONDS = env.int("MUSTER_GATEWAY_WATCH_SECONDS", 3600)
# Seconds for which a request to apply a change waits for the worker before it returns 202.
MUSTER_APPLY_WAIT_SECONDS = env.float("MUSTER_APPLY_WAIT_SECONDS", 20.0)
# Days after which an unapplied change expires.
MUSTER_CHANGE_DAYS = env.int("MUSTER_CHANGE_DAYS", 7)
# Interval at which each gateway's presence is checked, in seconds.
MUSTER_GATEWAY_POLL_SECONDS = env.int("MUSTER_GATEWAY_POLL_SECONDS", 60)
# Seconds for which the live view of a gateway shows what it read.
MUSTER_GATEWAY_LIVE_SECONDS = env.int("MUSTER_GATEWAY_LIVE_SECONDS", 10)
# Hours between two backups of a gateway without a backup policy; 0 for none on a schedule.
MUSTER_GATEWAY_BACKUP_HOURS = env.int("MUSTER_GATEWAY_BACKUP_HOURS", 24)

# --- overlay networks
# Prefix of device addresses; fc94::/16 is the one of Husarnet.
MUSTER_OVERLAY_PREFIX = overlay_prefix("fc94::/16")
# Domain suffix of overlay host names, as in camera.warehouse-3.mesh.
MUSTER_OVERLAY_SUFFIX = env.str("MUSTER_OVERLAY_SUFFIX", "mesh")
# Seconds for which changes are collected before they are delivered together.
MUSTER_OVERLAY_SETTLE_SECONDS = env.float("MUSTER_OVERLAY_SETTLE_SECONDS", 1.5)
# Interval at which agents ask for changes, in seconds.
MUSTER_JOIN_POLL_SECONDS = env.int("MUSTER_JOIN_POLL_SECONDS", 10)
# Timeout for reaching a device while adding it, in seconds.
MUSTER_CONTACT_SECONDS = env.int("MUSTER_CONTACT_SECONDS", 25)
# Join attempts by code per minute and address.
MUSTER_JOINS_PER_MINUTE = env.int("MUSTER_JOINS_PER_MINUTE", 60)

# --- notifications
# Mail server.
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
# Port of the mail server.
EMAIL_PORT = env.int("EMAIL_PORT", 25)
# User name at the mail server; empty sends without authentication.
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
# Password at the mail server.
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
# Use STARTTLS with the mail server.
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 20
# Sender address of e-mails.
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "muster@localhost")
# Send notifications by e-mail as well; on by default if a mail server is configured.
MUSTER_NOTIFY_BY_EMAIL = env.bool("MUSTER_NOTIFY_BY_EMAIL", "EMAIL_HOST" in os.environ)

# --- files
STATIC_URL = "/static/"
# Directory in which static files are collected and from which they are served.
STATIC_ROOT = Path(env.str("MUSTER_STATIC_DIR", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Directory of uploaded files.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / "media")))
MEDIA_URL = "/media/"
STORAGES = {
    "default": media_storage(
        storage_settings.MUSTER_S3_BUCKET,
        url=storage_settings.MUSTER_S3_URL,
        region=storage_settings.MUSTER_S3_REGION,
        folder=storage_settings.MUSTER_S3_FOLDER,
    ),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LANGUAGE_CODE = "en"
# Languages of the pages; the APIs are always English.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["controller.formats"]
# Time zone of pages for people who chose none and whose browser tells none.
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = True

# --- background work
# URL of the Celery broker; REDIS_URL by default.
MUSTER_BROKER_URL = env.str("CELERY_BROKER_URL", REDIS_URL)
CELERY_BROKER_URL, _SENTINEL_OPTIONS = broker_address(MUSTER_BROKER_URL)
# Celery prefers the environment's CELERY_BROKER_URL to the first, but to none of these.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # worker logs have the same format as the web's
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Tasks for which a worker keeps a database connection. Opening one for each would take longer
# than most tasks, and forget the statements that the database has planned.
CELERY_DB_REUSE_MAX = 10_000
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for Redis indefinitely
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
    **_SENTINEL_OPTIONS,
}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES, CELERY_TASK_ROUTES = QUEUES, ROUTES

# Interval at which the presence of devices is polled, in seconds.
POLL_SECONDS = env.int("MUSTER_POLL_SECONDS", 30)
# Interval at which workers look for work without a message, in seconds.
RECONCILE_SECONDS = env.int("MUSTER_RECONCILE_SECONDS", 10)
# Interval at which each device is checked for configuration drift, in seconds.
DRIFT_SECONDS = env.int("MUSTER_DRIFT_SECONDS", 900)
# Seconds after a push within which a device must be reached again, or it rolls back.
CONFIRM_SECONDS = env.int("MUSTER_CONFIRM_SECONDS", 20)
# Global variables of all configurations; overridden by organizations.
MUSTER_VARIABLES = env.json("MUSTER_VARIABLES", {})
# Port of HTTP-01 validation of ACME; 80 except in tests.
PKI_HTTP01_PORT = env.int("PKI_HTTP01_PORT", 80)
CELERY_IMPORTS = ["controller.retention"]
CELERY_BEAT_SCHEDULER = "controller.beat:Scheduler"
CELERY_BEAT_SCHEDULE = timetable(poll=POLL_SECONDS, reconcile=RECONCILE_SECONDS)

# Log format on standard error: line (text) or json.
LOG_FORMAT = env.str("LOG_FORMAT", "line", validate=validate.OneOf(["line", "json"]))
# Minimum log level: DEBUG, INFO, WARNING, ERROR.
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOGGING = logs(LOG_FORMAT, LOG_LEVEL)
