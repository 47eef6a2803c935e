"""Environment variables, read with their types.

Every variable is read in ``settings.py`` and nowhere else.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from environs import Env

from controller.base.outbound.addresses import policy
from controller.base.redis_sentinel import broker, names_sentinels, sentinel_address

env = Env()

LONGEST_PREFIX = 64
LONGEST_POOL = 24

# Server-side prepared statements: planning is most of the server's cost of looking up a row.
POSTGIS_OPTIONS = {"server_side_binding": True, "prepare_threshold": 5}
SQLITE_OPTIONS = {
    # A transaction that reads first and writes later would fail at once under load.
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768;",
}


def secret(name: str, *, debug: bool, length: int = 32) -> str:
    """Return a secret; required in production, a well-known default in development."""
    value: str = env.str(name, "")
    if value:
        return value
    if not debug:
        raise ImproperlyConfigured(
            f"{name} is not set. Generate one, for example with "
            f"'python -c \"import secrets; print(secrets.token_urlsafe({length}))\"', "
            "and keep it outside the repository."
        )
    return f"insecure-{name.lower()}-for-development-only"


def encryption_keys(*, debug: bool) -> list[str]:
    """Encryption keys for secrets at rest, newest first: the first encrypts, all decrypt."""
    keys: list[str] = env.list("MUSTER_ENCRYPTION_KEYS", [])
    return keys or [secret("MUSTER_ENCRYPTION_KEYS", debug=debug)]


def databases(folder: Path, *, replica: str, pooling: str) -> dict[str, dict[str, Any]]:
    """``DATABASE_URL``: Database, as spatialite:///path or postgis://user:pw@host/db."""
    url: str = env.str("DATABASE_URL", f"spatialite:///{folder / 'muster.sqlite3'}")
    found = {"default": database(url, folder, pooling)}
    if replica:
        if not (url.startswith("postgis:") and replica.startswith("postgis:")):
            raise ImproperlyConfigured(
                "MUSTER_REPLICA_URL and DATABASE_URL both start with postgis://: SQLite has no "
                "replicas."
            )
        found["replica"] = database(replica, folder, pooling) | {"TEST": {"MIRROR": "default"}}
    return found


def database(url: str, folder: Path, pooling: str) -> dict[str, Any]:
    if not url.startswith(("spatialite:", "postgis:")):
        raise ImproperlyConfigured(
            "DATABASE_URL starts with spatialite:/// or postgis://, because devices have "
            f"places on a map; {url.split(':', 1)[0]}: has no geometry."
        )
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if url.startswith("spatialite:"):
        config["ENGINE"] = "controller.base.spatialite"
        config["OPTIONS"] = config.get("OPTIONS", {}) | SQLITE_OPTIONS
        # A file, because threads of one test would lock each other out of a database in memory.
        config["TEST"] = {"NAME": str(folder / "tests.sqlite3")}
    else:
        config |= {"ENGINE": "controller.base.postgis", "CONN_HEALTH_CHECKS": True}
        config["OPTIONS"] = POSTGIS_OPTIONS | config.get("OPTIONS", {})
    if pooling == "transaction" and url.startswith("postgis:"):
        # Statements and cursors belong to a connection, which the next transaction may not get.
        config["OPTIONS"] |= {"prepare_threshold": None}
        config["DISABLE_SERVER_SIDE_CURSORS"] = True
    # Connections belong to the few threads that serve requests, and stay open: opening one and
    # loading SpatiaLite into it takes longer than most requests.
    config["CONN_MAX_AGE"] = None
    return config


def redis_cache(url: str) -> dict[str, Any]:
    """Return Django's cache at this Redis, or at the master that Sentinels name."""
    if names_sentinels(url):
        try:
            sentinel_address(url)
        except ValueError as error:
            raise ImproperlyConfigured(f"REDIS_URL: {error}") from error
    pool = {"pool_class": "controller.base.redis_sentinel.MasterPool"}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        # A list, because commas in a text separate servers.
        "LOCATION": [url],
        "OPTIONS": pool if names_sentinels(url) else {},
    }


def broker_address(url: str) -> tuple[str, dict[str, Any]]:
    """Return Celery's address of a broker and its transport options."""
    try:
        return broker(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"CELERY_BROKER_URL: {error}") from error


def media_storage(bucket: str, *, url: str, region: str, folder: str) -> dict[str, Any]:
    """Return Django's storage of uploaded files: a folder, or a bucket of an object store."""
    if not bucket:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    # Imported here: it takes long, and no portal without an object store needs it.
    from botocore.config import Config

    style = {"addressing_style": "path" if url else "auto"}
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": url or None,
            "region_name": region,
            "location": folder,
            "default_acl": None,
            "client_config": Config(
                connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}, s3=style
            ),
        },
    }


def overlay_prefix(usual: str) -> str:
    """``MUSTER_OVERLAY_PREFIX``: IPv6 prefix of overlay networks, at most 64 bits."""
    text = env.str("MUSTER_OVERLAY_PREFIX", usual)
    try:
        network = IPv6Network(text)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"MUSTER_OVERLAY_PREFIX is a network such as fd12:3456:789a::/48: {error}"
        ) from error
    if network.prefixlen > LONGEST_PREFIX or network.prefixlen % 8:
        raise ImproperlyConfigured(
            f"MUSTER_OVERLAY_PREFIX is at most {LONGEST_PREFIX} bits long, in whole bytes."
        )
    return str(network)


def ipv4_pool(usual: str) -> str:
    """``MUSTER_OVERLAY_IPV4_POOL``: private IPv4 range, at most 24 bits long."""
    text = env.str("MUSTER_OVERLAY_IPV4_POOL", usual)
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"MUSTER_OVERLAY_IPV4_POOL is a network such as 10.64.0.0/11: {error}"
        ) from error
    if not network.is_private or network.prefixlen > LONGEST_POOL:
        raise ImproperlyConfigured(
            f"MUSTER_OVERLAY_IPV4_POOL is private, and at most {LONGEST_POOL} bits long."
        )
    return str(network)


def single_sign_on(url: str, name: str) -> dict[str, Any]:
    """Registration of this portal at the OpenID Connect provider, for django-allauth."""
    if not url:
        return {}
    app = {
        "provider_id": "sso",
        "name": name,
        "client_id": env.str("MUSTER_OIDC_CLIENT_ID"),
        "secret": env.str("MUSTER_OIDC_CLIENT_SECRET", ""),
        "settings": {"server_url": url},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def networks(words: list[str]) -> None:
    """Refuse a word of a list of networks that is no network, ``private`` or ``internet``."""
    try:
        policy("", tuple(words))
    except ValueError as error:
        raise ImproperlyConfigured(
            f"Networks are written as 10.0.0.0/8, private or internet: {error}"
        ) from error


def tiles(url: str, attribution: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return django-leaflet's tile server setting; empty without a URL."""
    return [("Map", url, {"attribution": attribution})] if url else []


def origin(url: str) -> list[str]:
    """Return the content security policy source of a URL; empty without a URL."""
    if not url:
        return []
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(
            f"MUSTER_MAP_TILES is an address such as https://tile.example.org/{{z}}/{{x}}/"
            f"{{y}}.png; {url!r} is not."
        )
    # {s} stands for one of several servers.
    return [f"{parts.scheme}://{parts.netloc.replace('{s}', '*')}"]


def logs(form: str, level: str) -> dict[str, Any]:
    """Return the logging configuration; ``form`` is line or json.

    Every line has its request id; JSON lines also have the channel (task or
    authentication).
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
            },
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": "%(asctime)s %(levelname)s %(name)s %(request_id)s %(channel)s %(message)s",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            },
        },
        "filters": {"origins": {"()": "controller.base.request_context.ContextLogFilter"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["origins"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"asyncssh": {"level": "WARNING"}, "httpx": {"level": "WARNING"}},
    }
