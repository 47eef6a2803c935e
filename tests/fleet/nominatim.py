"""Stand-in geocoding server with Nominatim's API, following its documentation."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KNOWN = [
    ("Via del Corso, Campo Marzio, Roma, Italia", 12.4799, 41.9031),
    ("Via del Corso, Napoli, Campania, Italia", 14.2488, 40.8518),
]


class Nominatim(ThreadingHTTPServer):
    """Records requests in ``asked``; ``broken`` makes it answer something else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.agents: list[str] = []
        self.broken: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Nominatim

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.asked.append(self.path)
        self.server.agents.append(self.headers["User-Agent"])
        if self.server.broken:
            self.answer(*self.server.broken)
        elif url.path == "/search" and query["format"] == "jsonv2":
            words = query["q"].casefold().split()
            found = [place(*one) for one in KNOWN if all(w in one[0].casefold() for w in words)]
            self.answer(200, json.dumps(found[: int(query["limit"])]).encode())
        elif url.path == "/reverse" and query["format"] == "jsonv2":
            lon, lat = float(query["lon"]), float(query["lat"])
            near = [one for one in KNOWN if abs(one[1] - lon) + abs(one[2] - lat) < 0.1]
            body = place(*near[0]) if near else {"error": "Unable to geocode"}
            self.answer(200, json.dumps(body).encode())
        else:
            self.answer(404, b"not found")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Suppress log output."""


def place(name: str, lon: float, lat: float) -> dict[str, Any]:
    return {
        "place_id": 1,
        "licence": "Data © OpenStreetMap contributors",
        "lat": str(lat),
        "lon": str(lon),
        "category": "highway",
        "type": "pedestrian",
        "display_name": name,
        "boundingbox": [str(lat), str(lat), str(lon), str(lon)],
    }


@contextmanager
def running() -> Iterator[Nominatim]:
    server = Nominatim()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
