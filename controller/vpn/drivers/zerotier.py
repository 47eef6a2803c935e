"""Client of a ZeroTier controller's HTTP API, as zerotier-one serves it on port 9993.

https://docs.zerotier.com/api/service/
"""

from collections.abc import Mapping
from typing import Any

from controller.base.errors import NotFound, Unreachable
from controller.base.outbound import Kind, http
from controller.vpn.drivers.contract import Denied, Endpoint, Member, Network

SECONDS = 5.0
TRIES = 3
REFUSALS = {http.codes.UNAUTHORIZED, http.codes.FORBIDDEN}


class Controller:
    def __init__(self, endpoint: Endpoint) -> None:
        self._client = http.client(
            Kind.VPN,
            base_url=endpoint.url,
            headers={"X-ZT1-Auth": endpoint.token},
            timeout=SECONDS,
            retries=TRIES,
        )

    def __enter__(self) -> "Controller":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def node_id(self) -> str:
        return str(self._ask("GET", "/status").get("address", ""))

    def create_network(self, settings: Mapping[str, Any]) -> Network:
        node = self.node_id()
        made = self._ask("POST", f"/controller/network/{node}______", settings)
        try:
            return Network(node, str(made["id"]))
        except KeyError:
            raise Unreachable("The controller made a network and did not name it.") from None

    def update_network(self, network_id: str, settings: Mapping[str, Any]) -> None:
        self._ask("POST", f"/controller/network/{network_id}", settings)

    def delete_network(self, network_id: str) -> None:
        self._ask("DELETE", f"/controller/network/{network_id}")

    def members(self, network_id: str) -> set[str]:
        return set(self._ask("GET", f"/controller/network/{network_id}/member"))

    def admit(self, network_id: str, member: Member) -> None:
        path = f"/controller/network/{network_id}/member/{member.member_id}"
        self._ask("POST", path, member.settings)

    def remove(self, network_id: str, member_id: str) -> None:
        path = f"/controller/network/{network_id}/member/{member_id}"
        # Deletion alone leaves the member authorized until its next request.
        self._ask("POST", path, {"authorized": False})
        self._ask("DELETE", path)

    def _ask(
        self, method: str, path: str, sent: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=sent)
            if answer.status_code in REFUSALS:
                raise Denied("The ZeroTier controller does not accept the token.")
            if answer.status_code == http.codes.NOT_FOUND:
                raise NotFound("The ZeroTier controller does not know that.")
            if not answer.is_success:
                status = answer.status_code
                raise Unreachable(f"The ZeroTier controller answers with status {status}.")
            found: Any = answer.json()
        except (http.HTTPError, http.InvalidURL, ValueError) as error:
            raise Unreachable(
                f"The ZeroTier controller does not answer as it should ({type(error).__name__})."
            ) from error
        return found if isinstance(found, dict) else {str(key): {} for key in found or []}
