from tests.supervisor_proxy.conftest import _loopback_is_dialled, balena, run

__all__ = ["_loopback_is_dialled", "balena", "run"]
