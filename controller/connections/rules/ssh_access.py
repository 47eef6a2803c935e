"""SSH targets: address, login and host key. Passwords only for approved devices or keys."""

from dataclasses import replace

from controller.base.errors import Refused
from controller.connections.drivers.contract import Address, HostKey, Login, SshTarget
from controller.connections.models import Credentials, DeviceConnection

NO_ADDRESS = "The device has no address to reach."
NOT_APPROVED = (
    "No password is offered to this device yet: it told its address itself, or its address or "
    "host key was changed. Approve it on its page, or use credentials with a private key."
)


def ssh_login(credentials: Credentials) -> Login:
    params = credentials.params
    return Login(
        username=params["username"],
        password=params.get("password"),
        private_key=params.get("key"),
        passphrase=params.get("passphrase"),
    )


def ssh_target(connection: DeviceConnection) -> SshTarget:
    """Return where to connect and what to offer there.

    Raises Refused where there is no address, where the pinned host key is invalid, and where
    there is nothing but a password and the device may not be offered it.
    """
    device = connection.device
    if not device.management_ip:
        raise Refused(NO_ADDRESS)
    login = ssh_login(connection.credentials)
    if login.password and not may_get_password(connection):
        if not login.private_key:
            raise Refused(NOT_APPROVED, code="not_approved")
        login = replace(login, password=None)
    return SshTarget(
        Address(str(device.management_ip), connection.ssh_port),
        login,
        HostKey.parse(connection.host_key) if connection.host_key else None,
    )


def may_get_password(connection: DeviceConnection) -> bool:
    """Return whether a pinned host key, or an approved address, says who gets it."""
    if connection.host_key:
        return connection.is_host_key_trusted
    return connection.device.is_approved
