from supervisor_proxy.admin import calls, supervisors, terminals

__all__ = ["calls", "supervisors", "terminals"]
