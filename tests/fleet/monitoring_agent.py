"""Sender of OpenWrt's monitoring agent, as it behaves: files on disk, real curl, its own retries.

It keeps a gzipped file for each report, named by the moment in UTC; sends them in the order of
their names, one request each; deletes on 200 and 400; and begins again with the first file after
anything else. The answer of curl lies in the same folder, so that it counts as a file, too.
"""

import gzip
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ANSWER = "response.txt"
DROPPED, TAKEN = 400, 200
TRIES = 5


class MonitoringAgent:
    def __init__(self, folder: Path, url: str, uuid: str, key: str) -> None:
        self.folder, self.url, self.uuid, self.key = folder, url, uuid, key
        folder.mkdir(parents=True, exist_ok=True)
        # What each request was answered, by the name of its file.
        self.log: list[tuple[str, int]] = []
        # Which reports were sent as the newest.
        self.current: list[str] = []

    def collect(self, body: bytes, at: datetime) -> str:
        """Keep a report; a collector that crashes keeps an empty one."""
        name = at.astimezone(UTC).strftime("%d-%m-%Y_%H:%M:%S")
        (self.folder / name).write_bytes(gzip.compress(body))
        return name

    def waiting(self) -> Iterator[Path]:
        return iter(sorted(one for one in self.folder.iterdir() if one.name != ANSWER))

    def send_all(self, rounds: int = 1) -> None:
        """Send what waits; after a failure try the same file again, then begin with the first one again."""
        for _ in range(rounds):
            for file in self.waiting():
                if not self.send(file):
                    break

    def send(self, file: Path) -> bool:
        for _ in range(TRIES):
            status = self.curl(file)
            self.log.append((file.name, status))
            if status in {TAKEN, DROPPED}:
                file.unlink()
                return True
        return False

    def curl(self, file: Path) -> int:
        body = self.folder.with_suffix(".json")
        body.write_bytes(gzip.decompress(file.read_bytes()))
        query = f"key={self.key}&time={file.name}.000000"
        if len(list(self.folder.iterdir())) == 1:
            query += "&current=true"
            self.current.append(file.name)
        done = subprocess.run(
            [
                "curl", "-s", "-w", "%{http_code}", "--output", str(self.folder / ANSWER),
                "-H", "Content-Type: application/json", "-d", f"@{body}",
                f"{self.url}/api/v1/monitoring/device/{self.uuid}/?{query}",
            ],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return int(done.stdout or 0)
