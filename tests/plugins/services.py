"""Services of the tests: environment variables and a Redis.

Loaded before the settings, so that plain ``pytest`` works. ``DATABASE_URL`` selects the
database; SpatiaLite is the default.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="muster-tests-"))
SOCKET = FOLDER / "redis.sock"
START_SECONDS = 60
(FOLDER / "static").mkdir()  # target of collectstatic

os.environ.setdefault("SECRET_KEY", "a-secret-key-of-the-tests-with-fifty-characters-or-more")
os.environ.setdefault("MUSTER_ENCRYPTION_KEYS", "an-encryption-key-of-the-tests")
os.environ["MUSTER_DATA_DIR"] = str(FOLDER)
os.environ["REDIS_URL"] = os.environ["CELERY_BROKER_URL"] = f"unix://{SOCKET}"
os.environ["CELERY_BROKER_URL"] = f"redis+socket://{SOCKET}"
os.environ["MUSTER_HTTPS"] = "0"
os.environ["DEBUG"] = "0"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop running


def start_redis() -> None:
    server = subprocess.Popen(
        [
            shutil.which("redis-server") or "/usr/bin/redis-server",
            *("--port", "0", "--unixsocket", str(SOCKET), "--save", "", "--dir", str(FOLDER)),
        ],
        stdout=subprocess.DEVNULL,
    )
    atexit.register(stop, server)
    deadline = time.monotonic() + START_SECONDS
    while not SOCKET.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("redis-server does not start; is it installed?")
        time.sleep(0.02)


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait()
    shutil.rmtree(FOLDER, ignore_errors=True)


start_redis()
