"""Driver of a sysupgrade server (ASU), by its HTTP API."""

from collections.abc import Iterator
from pathlib import Path

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, http
from controller.connections.drivers.contract import Shell
from controller.firmware.engine.asu import AWAY, Answer, BuildOrder, BuiltImage, read_answer
from controller.firmware.engine.package_lists import parse_packages

SCRIPT = Path(__file__).with_name("packages.sh").read_text()
SECONDS = 20.0
WHOLE_SECONDS = 60.0
DOWNLOAD_SECONDS = 1800.0
COMMAND_SECONDS = 30.0
MOST_BYTES = 4 * 1024 * 1024
PART = 256 * 1024
AGENT = {"User-Agent": "muster/1"}


class Asu:
    """One sysupgrade server."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def ask(self, order: BuildOrder, root: str) -> Answer:
        """Ask for an image; a server answers equal requests with the same build."""
        return self._exchange("POST", "api/v1/build", order, root, json=order.body())

    def look(self, request: str, order: BuildOrder, root: str) -> Answer:
        """Query the state of a request."""
        return self._exchange("GET", f"api/v1/build/{request}", order, root)

    def _exchange(
        self, method: str, path: str, order: BuildOrder, root: str, **options: object
    ) -> Answer:
        try:
            with http.client(
                Kind.SERVICE, timeout=SECONDS, seconds=WHOLE_SECONDS, largest=MOST_BYTES,
                headers=AGENT,
            ) as client:  # fmt: skip
                answer = client.request(method, f"{self.url}/{path}", **options)  # type: ignore[arg-type]
            if answer.status_code in AWAY:
                raise Unreachable(f"The sysupgrade server answered {answer.status_code}.")
            return read_answer(answer.status_code, answer.content, order, root)
        except (http.HTTPError, http.InvalidURL) as error:
            raise Unreachable(f"The sysupgrade server cannot be asked: {error}") from error

    def download(self, image: BuiltImage, largest: int) -> Iterator[bytes]:
        """Yield the file of an image; raise Unreachable if it breaks off."""
        try:
            with (
                http.client(
                    Kind.SERVICE, timeout=SECONDS, seconds=DOWNLOAD_SECONDS, largest=largest + 1,
                    headers=AGENT,
                ) as client,
                client.stream("GET", f"{self.url}/{image.path}") as answer,
            ):  # fmt: skip
                if answer.status_code != http.codes.OK:
                    raise Unreachable(f"The download answered {answer.status_code}.")
                yield from answer.iter_bytes(PART)
        except http.HTTPError as error:
            raise Unreachable(f"The image could not be downloaded: {error}") from error


async def read_packages(shell: Shell) -> tuple[str, ...]:
    """Return the packages that were chosen for a device."""
    result = await shell.run("sh -s", stdin=SCRIPT.encode(), timeout=COMMAND_SECONDS)
    return parse_packages(result.stdout)
