"""Django's settings; every value from outside comes through ``controller.environment``."""

import os
from pathlib import Path

from environs import validate

from controller.beat_schedule import QUEUES, ROUTES, timetable
from controller.dialects.openapi.settings import SPECTACULAR_SETTINGS
from controller.dialects.rest_framework import REST_FRAMEWORK
from controller.environment import (
    database,
    encryption_keys,
    env,
    logs,
    origin,
    overlay_prefix,
    secret,
    single_sign_on,
    tiles,
)
from controller.theme import CONTEXT_PROCESSORS, UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
# Where files are kept: media, static files, the database of a small portal.
DATA_DIR = Path(env.str("MUSTER_DATA_DIR", str(BASE_DIR / "var")))

# For developing alone: shows the code in errors, and does without secrets.
DEBUG = env.bool("DEBUG", False)
# Signs sessions and links; at least 50 characters by chance.
SECRET_KEY = secret("SECRET_KEY", debug=DEBUG)
MUSTER_ENCRYPTION_KEYS = encryption_keys(debug=DEBUG)

# Names by which the portal may be asked for.
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
# Origins of other sites whose forms are taken, such as https://other.example.org.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Addresses of reverse proxies whose X-Forwarded-For and -Proto are believed.
TRUSTED_PROXIES: list[str] = env.list("MUSTER_TRUSTED_PROXIES", [])
# Requests that one web process works on at once; each thread keeps a database connection.
WEB_THREADS = env.int("MUSTER_WEB_THREADS", 4)
# Requests that may wait for other machines at once, in one web process and for each kind of
# machine (supervisors, gateways, streams, other services). They take none of the threads above.
WAITING_THREADS = env.int("MUSTER_WAITING_THREADS", 16)
# Where users and devices reach the portal, for example https://muster.example.org.
MUSTER_PUBLIC_URL = env.str("MUSTER_PUBLIC_URL", "").rstrip("/")

DATABASES = {"default": database(DATA_DIR)}
# GDAL before 3.9 can open files and URLs named in geometry. Nothing a user sends reaches it:
# geometry is read from WKT and GeoJSON by GEOS alone.
SILENCED_SYSTEM_CHECKS = ["gis.W001"]
SPATIALITE_LIBRARY_PATH = "mod_spatialite"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Caches, presence of devices, and messages to workers.
REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.gis",
    "django.forms",
    "rest_framework",
    "rest_framework_gis",
    "leaflet",
    "django_filters",
    "import_export",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "controller.base",
    "controller.accounts",
    "controller.notifications",
    "pki",
    "controller.devices",
    "controller.connections",
    "networks",
    "controller.vpn",
    "controller.configs",
    "controller.discovery",
    "controller.monitoring",
    "geo",
    "supervisor_proxy",
]

MIDDLEWARE = [
    "supervisor_proxy.api.remote.views.OwnOrigins",
    "controller.dialects.middleware.RequestMiddleware",
    "controller.dialects.agent.AgentHeader",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "controller.dialects.middleware.AuditActorMiddleware",
    "controller.dialects.middleware.OptionalSlashMiddleware",
]

ROOT_URLCONF = "controller.urls"
WSGI_APPLICATION = "controller.asgi.django_application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": CONTEXT_PROCESSORS,
        },
    }
]

# Widgets have their templates where pages have theirs.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# What seals the audit. By default the oldest encryption key: before that one is retired,
# say here what it was.
MUSTER_AUDIT_KEY = env.str("MUSTER_AUDIT_KEY", "") or MUSTER_ENCRYPTION_KEYS[-1]

# --- accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "controller.accounts.rules.EmailOrUsernameBackend",
    # Permissions on single rows: whom an overlay network is shared with.
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None  # read by django-guardian: nobody has permissions without an account
# Argon2id as OWASP advises it; the other is what passwords may have been imported with.
PASSWORD_HASHERS = [
    "controller.base.secrets.Argon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# Whether strangers may make accounts for themselves; these can do nothing until invited.
MUSTER_REGISTRATION = env.bool("MUSTER_REGISTRATION", False)
# Single sign-on: the address of an OpenID Connect provider; none is off.
MUSTER_OIDC_URL = env.str("MUSTER_OIDC_URL", "").rstrip("/")
# What the button to sign in with it says.
MUSTER_OIDC_NAME = env.str("MUSTER_OIDC_NAME", "single sign-on")
# Whether who is unknown here gets an account (which may do nothing until invited).
MUSTER_OIDC_CREATES_USERS = env.bool("MUSTER_OIDC_CREATES_USERS", False)
SOCIALACCOUNT_ADAPTER = "controller.accounts.api.sso.views.Adapter"
SOCIALACCOUNT_PROVIDERS = single_sign_on(MUSTER_OIDC_URL, MUSTER_OIDC_NAME)
# How many API keys one user may have.
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

# --- limits; 0 is no limit
# Requests of one user (or address) a minute.
MUSTER_REQUESTS_PER_MINUTE = env.int("MUSTER_REQUESTS_PER_MINUTE", 600)
# Requests of one user (or address) a second.
MUSTER_REQUESTS_PER_SECOND = env.int("MUSTER_REQUESTS_PER_SECOND", 120)
# Attempts of one address to sign in by /api/v1/auth/.
MUSTER_SIGN_INS_PER_MINUTE = env.int("MUSTER_SIGN_INS_PER_MINUTE", 5)
# Attempts of one address to get a token by /api/v1/users/.
MUSTER_TOKENS_PER_MINUTE = env.int("MUSTER_TOKENS_PER_MINUTE", 60)
# Bytes of a request's body.
MUSTER_BODY_LIMIT = env.int("MUSTER_BODY_LIMIT", 1024 * 1024)
# Bytes of a request that uploads a file.
MUSTER_UPLOAD_LIMIT = env.int("MUSTER_UPLOAD_LIMIT", 32 * 1024 * 1024)
# Bytes of a request that brings a backup to a device; it waits on disk, never in memory.
MUSTER_BACKUP_LIMIT = env.int("MUSTER_BACKUP_LIMIT", 16 * 1024 * 1024 * 1024)
# What Prometheus sends as a Bearer token to read /metrics; empty is superusers alone.
MUSTER_METRICS_TOKEN = env.str("MUSTER_METRICS_TOKEN", "")
# Each process counts in a file of its own.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(DATA_DIR / "metrics"))
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)

# --- browsers and transport
# Whether browsers reach the portal by TLS alone.
MUSTER_HTTPS = env.bool("MUSTER_HTTPS", not DEBUG)
SECURE_SSL_REDIRECT = MUSTER_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if MUSTER_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = MUSTER_HTTPS
SECURE_HSTS_PRELOAD = MUSTER_HTTPS
# Device agents do not follow redirects, and many speak plain HTTP inside a management VPN.
# Probes ask a process itself, and not through the proxy that speaks TLS.
SECURE_REDIRECT_EXEMPT = [
    r"^controller/",
    r"^pki/(crl|ca|ocsp)/",
    r"^health(/|$)",
    r"^/?api/v1/monitoring/device/[0-9a-f-]{32,36}/$",
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = MUSTER_HTTPS
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
# Tiles of a map, such as https://tile.example.org/{z}/{x}/{y}.png; without them the portal
# draws coastlines and borders of its own, and nothing is asked of the internet.
MUSTER_MAP_TILES = env.str("MUSTER_MAP_TILES", "")
# Whom the map names as the source of its tiles.
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
        # The form editor and CodeMirror write style elements, unfold its colors in another.
        "style-src": ["'self'", "'unsafe-inline'"],
        # No exception: Alpine comes in its build without eval, and no page has a script inline.
        "script-src": ["'self'"],
    }
}

__all__ = ["REST_FRAMEWORK", "SPECTACULAR_SETTINGS", "UNFOLD"]  # read by libraries

# --- places
# A server that speaks Nominatim's protocol, such as https://nominatim.example.org; none is off.
MUSTER_GEOCODER_URL = env.str("MUSTER_GEOCODER_URL", "").rstrip("/")
# Bytes of an uploaded floor plan.
MUSTER_IMAGE_BYTES = env.int("MUSTER_IMAGE_BYTES", 10 * 1024 * 1024)
# Pixels of an uploaded floor plan.
MUSTER_IMAGE_PIXELS = env.int("MUSTER_IMAGE_PIXELS", 36_000_000)

# --- monitoring
# How often devices with a management address are pinged, in seconds; 0 is never.
MUSTER_PING_SECONDS = env.int("MUSTER_PING_SECONDS", 300)
# How often devices without an agent are asked over SSH what they measure; 0 is never.
MUSTER_PULL_SECONDS = env.int("MUSTER_PULL_SECONDS", 300)
# How many days measurements are kept in steps of five minutes.
MUSTER_METRICS_FINE_DAYS = env.int("MUSTER_METRICS_FINE_DAYS", 30)
# How many days they are kept in steps of an hour, with their mean, lowest and highest.
MUSTER_METRICS_HOUR_DAYS = env.int("MUSTER_METRICS_HOUR_DAYS", 400)
# How many days they are kept in steps of a day.
MUSTER_METRICS_DAY_DAYS = env.int("MUSTER_METRICS_DAY_DAYS", 1830)
# How many days sessions of Wi-Fi clients are kept; their addresses are personal data.
MUSTER_WIFI_SESSION_DAYS = env.int("MUSTER_WIFI_SESSION_DAYS", 30)

# --- supervisors of devices
# Networks in which supervisors are called: management networks and VPNs. Loopback is for demonstrations alone.
MUSTER_SUPERVISOR_NETWORKS: list[str] = env.list(
    "MUSTER_SUPERVISOR_NETWORKS",
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
)
# Whether calls that remove data or switch a device off name it again in X-Confirm.
MUSTER_SUPERVISOR_CONFIRM = env.bool("MUSTER_SUPERVISOR_CONFIRM", False)
# How long what was asked of supervisors is remembered.
MUSTER_SUPERVISOR_HISTORY_DAYS = env.int("MUSTER_SUPERVISOR_HISTORY_DAYS", 365)

# Where backups of Home Assistant devices are kept.
MUSTER_BACKUP_DIR = env.str("MUSTER_BACKUP_DIR", str(DATA_DIR / "backups"))

# Whether Home Assistant's own WebSocket is passed on, to who has supervisor:remote.
MUSTER_HOME_REMOTE = env.bool("MUSTER_HOME_REMOTE", False)
# Under which domain pages of add-ons have host names of their own; empty is that they are not
# passed on. A wildcard record and certificate of it lead to the portal.
MUSTER_INGRESS_DOMAIN: str = env.str("MUSTER_INGRESS_DOMAIN", "").lower().strip(".")

# --- discovery
# Networks that scans may look at; nobody scans what is not yours.
MUSTER_DISCOVERY_NETWORKS: list[str] = env.list(
    "MUSTER_DISCOVERY_NETWORKS",
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
)

# --- vendors' gateways
# While this is true, changes are staged and never written to a gateway.
ADAPTER_READ_ONLY = env.bool("ADAPTER_READ_ONLY", env.bool("OMADA_READ_ONLY", True))
# How many changes of an organization may wait at a time.
MUSTER_PENDING_CHANGES = env.int("MUSTER_PENDING_CHANGES", 2000)
# Whether gateways may be on this machine and without TLS: for demonstrations alone.
MUSTER_LOCAL_GATEWAYS = env.bool("MUSTER_LOCAL_GATEWAYS", False)
# How long a gateway may take to answer.
MUSTER_GATEWAY_SECONDS = env.float("MUSTER_GATEWAY_SECONDS", 10.0)
# After how long a change that a gateway did not answer is looked into.
MUSTER_GATEWAY_EFFECT_SECONDS = env.float("MUSTER_GATEWAY_EFFECT_SECONDS", 4.0)
MUSTER_GATEWAY_SETTLE_SECONDS = env.int("MUSTER_GATEWAY_SETTLE_SECONDS", 90)
# For how long a write that did not arrive is looked for, as it may still do so.
MUSTER_GATEWAY_WATCH_SECONDS = env.int("MUSTER_GATEWAY_WATCH_SECONDS", 3600)
# How long a request to apply a change waits for the worker, before it answers 202.
MUSTER_APPLY_WAIT_SECONDS = env.float("MUSTER_APPLY_WAIT_SECONDS", 20.0)
# After how many days a change that nobody applied is given up.
MUSTER_CHANGE_DAYS = env.int("MUSTER_CHANGE_DAYS", 7)
# How often each gateway is asked whether it is there.
MUSTER_GATEWAY_POLL_SECONDS = env.int("MUSTER_GATEWAY_POLL_SECONDS", 60)

# --- overlay networks
# Addresses of devices lie in it; fc94::/16 is where Husarnet's are.
MUSTER_OVERLAY_PREFIX = overlay_prefix("fc94::/16")
# What full names of devices end in, as in camera.warehouse-3.mesh.
MUSTER_OVERLAY_SUFFIX = env.str("MUSTER_OVERLAY_SUFFIX", "mesh")
# How long changes are gathered before they are delivered together.
MUSTER_OVERLAY_SETTLE_SECONDS = env.float("MUSTER_OVERLAY_SETTLE_SECONDS", 1.5)
# How often agents ask what is new.
MUSTER_JOIN_POLL_SECONDS = env.int("MUSTER_JOIN_POLL_SECONDS", 10)
# How long adding a device may take to reach it.
MUSTER_CONTACT_SECONDS = env.int("MUSTER_CONTACT_SECONDS", 25)
# Attempts of one address to join by code.
MUSTER_JOINS_PER_MINUTE = env.int("MUSTER_JOINS_PER_MINUTE", 60)

# --- notifications
# The mail server.
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
# The mail server's port.
EMAIL_PORT = env.int("EMAIL_PORT", 25)
# By whose account mail is sent; empty is without one.
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
# The password of that account.
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
# Whether the mail server is spoken to by STARTTLS.
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 20
# Whom mail is from.
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "muster@localhost")
# Whether people are told by e-mail too; by default where a mail server is named.
MUSTER_NOTIFY_BY_EMAIL = env.bool("MUSTER_NOTIFY_BY_EMAIL", "EMAIL_HOST" in os.environ)
# Networks of one's own that webhooks may be sent to, also without TLS; the internet always.
MUSTER_WEBHOOK_NETWORKS: list[str] = env.list("MUSTER_WEBHOOK_NETWORKS", [])

# --- tables
# A cell that begins as a formula does is a text in what is exported.
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

# --- files
STATIC_URL = "/static/"
# Where the files of the pages are collected and served from.
STATIC_ROOT = Path(env.str("MUSTER_STATIC_DIR", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Where uploaded files are kept.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / "media")))
MEDIA_URL = "/media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LANGUAGE_CODE = "en-us"
# In which the admin shows times.
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = False

# --- work in the background
# Messages to workers, if not through REDIS_URL.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # its logs look like those of the web
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for Redis however long it is away
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 30}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES, CELERY_TASK_ROUTES = QUEUES, ROUTES

# How often devices are asked whether they are there.
POLL_SECONDS = env.int("MUSTER_POLL_SECONDS", 30)
# How often is looked for work that no message told of.
RECONCILE_SECONDS = env.int("MUSTER_RECONCILE_SECONDS", 10)
# How often each device is asked whether its files are still what it acknowledged.
DRIFT_SECONDS = env.int("MUSTER_DRIFT_SECONDS", 900)
# How long a device waits, after a push, to be told that it can still be reached.
CONFIRM_SECONDS = env.int("MUSTER_CONFIRM_SECONDS", 20)
# Variables that every configuration can use; lower than those of organizations.
MUSTER_VARIABLES = env.json("MUSTER_VARIABLES", {})
# Where names are asked whether an ACME client speaks for them; 80, but for tests.
PKI_HTTP01_PORT = env.int("PKI_HTTP01_PORT", 80)
CELERY_BEAT_SCHEDULE = timetable(poll=POLL_SECONDS, reconcile=RECONCILE_SECONDS)

# Logs go to standard error, a line each: as text for people or as JSON for a collector.
LOG_FORMAT = env.str("LOG_FORMAT", "line", validate=validate.OneOf(["line", "json"]))
# The least serious lines that are logged: DEBUG, INFO, WARNING, ERROR.
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOGGING = logs(LOG_FORMAT, LOG_LEVEL)
