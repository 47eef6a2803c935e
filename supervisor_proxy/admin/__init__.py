from supervisor_proxy.admin import calls, homes, supervisors, terminals

__all__ = ["calls", "homes", "supervisors", "terminals"]
