from supervisor_proxy.admin import backups, calls, homes, supervisors, terminals

__all__ = ["backups", "calls", "homes", "supervisors", "terminals"]
