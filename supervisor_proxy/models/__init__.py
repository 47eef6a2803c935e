"""Supervisors, and what was asked of them."""

from supervisor_proxy.models.calls import RememberedAnswer, SupervisorBatch, SupervisorCall
from supervisor_proxy.models.supervisors import Supervisor

__all__ = ["RememberedAnswer", "Supervisor", "SupervisorBatch", "SupervisorCall"]
