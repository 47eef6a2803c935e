"""Update webhooks of VPN servers, compatible with OpenWISP's."""

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, http
from controller.vpn.drivers.contract import Denied, Endpoint

SECONDS = 10.0
WHOLE_SECONDS = 30.0
LARGEST = 64 * 1024
REFUSALS = {http.codes.UNAUTHORIZED, http.codes.FORBIDDEN}


def tell(endpoint: Endpoint) -> None:
    """Call the webhook; the token is a query parameter, as the servers' scripts expect.

    Raises Denied if the token is rejected, Unreachable for any other failure.
    """
    try:
        with http.client(
            Kind.VPN, timeout=SECONDS, seconds=WHOLE_SECONDS, largest=LARGEST
        ) as client:
            answer = client.post(endpoint.url, params={"key": endpoint.token})
    except (http.HTTPError, http.InvalidURL) as error:
        # The exception's text may contain the whole URL.
        raise Unreachable(f"The webhook does not answer ({type(error).__name__}).") from None
    if answer.status_code in REFUSALS:
        raise Denied("The webhook does not accept the token.")
    if not answer.is_success:
        raise Unreachable(f"The webhook answers with status {answer.status_code}.")
