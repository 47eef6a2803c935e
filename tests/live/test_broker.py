"""A worker outlives its Redis: killed ten times with all its data, and refusing writes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from redis import Redis
from redis.exceptions import RedisError

from controller.base import health
from controller.celery import app
from tests.live.conftest import ROOT, eventually

pytestmark = [pytest.mark.live, pytest.mark.once]
TIMES = 10


class Stage:
    """A private Redis, and a worker that listens to one queue of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "redis.sock"
        self.start_redis()
        environment = os.environ | {
            "MUSTER_DATA_DIR": str(folder),
            "REDIS_URL": f"unix://{self.socket}",
            "CELERY_BROKER_URL": f"redis+socket://{self.socket}",
            "DATABASE_URL": f"spatialite:///{folder}/empty.sqlite3",
        }
        command = ["-m", "celery", "--app", "controller", "worker", "--concurrency", "1"]
        with (folder / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(
                [sys.executable, *command, "--queues", "default", "--pool", "prefork"],
                cwd=ROOT, env=environment, stdout=log, stderr=log,
            )  # fmt: skip

    def start_redis(self) -> None:
        self.redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "",
             "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.ask = Redis.from_url(f"unix://{self.socket}", socket_timeout=2)
        eventually("Redis answers", self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.ask.ping())
        except RedisError:
            return False

    def kill_redis(self) -> None:
        self.redis.send_signal(signal.SIGKILL)
        self.redis.wait()
        self.socket.unlink(missing_ok=True)

    def works(self) -> None:
        """The worker says that it listens, and carries out a task."""
        eventually("the worker listens", lambda: self.ask.hexists(health.WORKERS, "default"))
        with Connection(f"redis+socket://{self.socket}") as connection:
            app.send_task(
                "controller.accounts.tasks.beat", queue="default", connection=connection
            )
        eventually("the task is done", lambda: self.ask.exists(health.BEAT))
        assert self.worker.poll() is None, (self.folder / "worker.log").read_text()[-4000:]

    def close(self) -> None:
        self.worker.terminate()
        try:
            self.worker.wait(30)
        finally:
            self.worker.kill()
            self.redis.kill()
            self.redis.wait()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def test_a_worker_outlives_its_redis(stage: Any) -> None:
    stage.works()
    for _ in range(TIMES):
        stage.kill_redis()
        stage.start_redis()
        stage.works()
    stage.ask.config_set("min-replicas-to-write", 1)
    eventually("the worker notices", lambda: b"NOREPLICAS" in log_of(stage))
    stage.ask.config_set("min-replicas-to-write", 0)
    stage.ask.delete(health.WORKERS, health.BEAT)
    stage.works()
    assert b"Unrecoverable error" not in log_of(stage)


def log_of(stage: Stage) -> bytes:
    return (stage.folder / "worker.log").read_bytes()
