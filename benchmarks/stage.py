"""Test bed of the benchmarks: PostGIS, Redis, web server, worker and many devices.

Everything runs in a temporary folder and ends with the context. CPU time is read from the
kernel for all processes of a kind, so figures are stable on a shared machine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.fleet.ports import free_port

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
START_SECONDS = 90
TICKS = os.sysconf("SC_CLK_TCK")


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "SECRET_KEY": "x" * 60,
            "MUSTER_ENCRYPTION_KEYS": "a key for measuring",
            "MUSTER_DATA_DIR": str(folder),
            "MUSTER_HTTPS": "0",
            # Without rate limits, which are not the subject here.
            "MUSTER_REQUESTS_PER_MINUTE": "0",
            "MUSTER_REQUESTS_PER_SECOND": "0",
            "MUSTER_SIGN_INS_PER_MINUTE": "0",
            "LOG_LEVEL": "WARNING",
            "REDIS_URL": f"unix://{folder}/redis.sock",
            "CELERY_BROKER_URL": f"redis+socket://{folder}/redis.sock",
            "DATABASE_URL": "postgis://muster@" + str(folder).replace("/", "%2F") + "/muster",
        }
        os.environ |= self.environment
        os.environ["DJANGO_SETTINGS_MODULE"] = "controller.settings"

    def run(self, name: str, *command: str | Path) -> None:
        out = (self.folder / f"{name}.log").open("wb")
        self.processes[name] = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def start_services(self) -> None:
        self.folder.chmod(0o755)
        data, tools = self.folder / "data", postgres_tools()
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "postgres")
            shutil.chown(self.folder, "postgres")
        as_postgres(tools / "initdb", "-D", data, "-U", "muster", "--auth", "trust")
        self.start_postgres()
        self.run("redis", "redis-server", "--port", "0", "--unixsocket",
                 self.folder / "redis.sock", "--save", "")  # fmt: skip
        wait_for("PostgreSQL", (self.folder / ".s.PGSQL.5432").exists)
        wait_for("Redis", (self.folder / "redis.sock").exists)
        wait_for("PostgreSQL", lambda: not as_postgres(
            tools / "createdb", "-h", self.folder, "-U", "muster", "muster", check=False))  # fmt: skip

    def start_postgres(self) -> None:
        data, tools = self.folder / "data", postgres_tools()
        # As in the OpenWISP measurement.
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c shared_buffers=512MB"
        self.run(
            "postgres",
            *postgres_user(),
            tools / "postgres",
            "-D",
            data,
            *options.replace("'", "").split(),
        )

    def start_replica(self) -> str:
        """Start a replica of the database. Returns its address."""
        data, tools = self.folder / "replica", postgres_tools()
        place = self.folder / "replica-socket"
        place.mkdir()
        if os.geteuid() == 0:
            shutil.chown(place, "postgres")
        as_postgres(tools / "pg_basebackup", "-h", self.folder, "-U", "muster", "-D", data,
                    "-R", "-X", "stream", "-c", "fast")  # fmt: skip
        options = f"-c listen_addresses= -c unix_socket_directories={place} -c hot_standby_feedback=on"
        self.run("replica", *postgres_user(), tools / "postgres", "-D", data, *options.split())
        wait_for("the replica", (place / ".s.PGSQL.5432").exists)
        return "postgis://muster@" + str(place).replace("/", "%2F") + "/muster"

    def kill(self, name: str) -> None:
        """Kill a program with all its processes, without a word."""
        process = self.processes.pop(name)
        for pid in family(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()

    def crash_postgres(self) -> None:
        """Stop PostgreSQL at once, without an end of its transactions."""
        process = self.processes.pop("postgres")
        process.send_signal(signal.SIGQUIT)
        process.wait(60)

    def start_pooler(self) -> str:
        """Start PgBouncer in transaction mode. Returns the address of the database through it."""
        place = self.folder / "pooler"
        place.mkdir()
        settings = {
            "unix_socket_dir": place, "listen_port": 6432, "auth_type": "any",
            "pool_mode": "transaction", "default_pool_size": 10, "max_client_conn": 500,
        }  # fmt: skip
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (place / "pooler.ini").write_text(
            f"[databases]\nmuster = host={self.folder} user=muster dbname=muster\n"
            "[pgbouncer]\n" + "\n".join(lines)
        )
        if os.geteuid() == 0:
            shutil.chown(place, "postgres")
        self.run("pooler", *postgres_user(), "pgbouncer", place / "pooler.ini")
        wait_for("PgBouncer", (place / ".s.PGSQL.6432").exists)
        return "postgis://muster@" + str(place).replace("/", "%2F") + ":6432/muster"

    def start_web(self, workers: int = 2, *, name: str = "web", port: int = 0) -> None:
        port = port or self.port
        self.run(name, BIN / "granian", "--interface", "asgi", "--host", "127.0.0.1",
                 "--port", str(port), "--workers", str(workers), "--no-access-log",
                 "controller.asgi:application")  # fmt: skip
        wait_for("the web server", lambda: listens(port))

    def start_worker(self, concurrency: int = 2, *, name: str = "worker") -> None:
        self.run(name, BIN / "celery", "--app", "controller", "worker", "--hostname",
                 f"{name.replace(' ', '-')}@%h", "--loglevel", "INFO", "--concurrency",
                 str(concurrency), "--queues", "default,push,poll,render,command,proxy,scan,firmware")  # fmt: skip
        self.wait_for_worker(name)

    def start_beat(self) -> None:
        self.run("beat", BIN / "celery", "--app", "controller", "beat", "--loglevel", "WARNING",
                 "--schedule", self.folder / "beat", "--pidfile", "")  # fmt: skip

    def wait_for_worker(self, name: str) -> None:
        log = self.folder / f"{name}.log"

        def ready() -> bool:
            assert self.processes[name].poll() is None, log.read_text()
            return b" ready." in log.read_bytes()

        wait_for(name, ready)

    def memory(self, name: str) -> int:
        """Return the largest PSS of the program's processes, in MiB."""
        return max(proportional(pid) for pid in family(self.processes[name].pid))

    def cpu(self, name: str) -> float:
        """Return the CPU seconds of this program with all its children."""
        return sum(cpu_of(pid) for pid in family(self.processes[name].pid))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def postgres_tools() -> Path:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))[
        -1
    ]


def postgres_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]


def as_postgres(*command: str | Path, check: bool = True) -> int:
    return subprocess.run(
        [*postgres_user(), *command], check=check, cwd="/",
        stdout=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL,
    ).returncode  # fmt: skip


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        found = [int(child) for child in children.read_text().split()]
    except OSError:
        return []
    return [pid] + [one for child in found for one in family(child)]


def cpu_of(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    # utime and stime, also of children that have ended
    return sum(int(fields[at]) for at in (11, 12, 13, 14)) / TICKS


def proportional(pid: int, of: str = "Pss") -> int:
    """Return the PSS in MiB, which counts shared memory proportionally."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{of}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def wait_for(what: str, ready: object) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} does not start")
        time.sleep(0.1)


@contextmanager
def stage() -> Iterator[Stage]:
    with ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="muster-bench-"))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Stage(folder)
        try:
            made.start_services()
            yield made
        finally:
            for name in reversed(list(made.processes)):
                made.stop(name)


def wrk(
    url: str, *, connections: int = 4, seconds: int = 6, script: str = ""
) -> dict[str, float]:
    """Run wrk with one thread. Returns requests per second and errors."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script)
        lua.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
        command += ["-s", lua.name] if script else []
        done = subprocess.run([*command, url], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        text = done.stdout
    total = re.search(r"(\d+) requests in ([\d.]+)(\w+)", text)
    assert total, text
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: .*read (\d+), write (\d+), timeout (\d+)", text)
    return {
        "requests": int(total[1]),
        "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),  # type: ignore[index]
        "bad": int(bad[1]) if bad else 0,
        "errors": sum(int(one) for one in errors.groups()) if errors else 0,
    }
