"""Update webhooks of VPN servers, compatible with OpenWISP's."""

import httpx

from controller.base.errors import Unreachable
from controller.vpn.drivers.contract import Denied, Endpoint

SECONDS = 30.0
REFUSALS = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


def tell(endpoint: Endpoint) -> None:
    """Call the webhook; the token is a query parameter, as the servers' scripts expect.

    Raises Denied if the token is rejected, Unreachable for any other failure.
    """
    try:
        answer = httpx.post(endpoint.url, params={"key": endpoint.token}, timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The exception's text may contain the whole URL.
        raise Unreachable(f"The webhook does not answer ({type(error).__name__}).") from None
    if answer.status_code in REFUSALS:
        raise Denied("The webhook does not accept the token.")
    if not answer.is_success:
        raise Unreachable(f"The webhook answers with status {answer.status_code}.")
