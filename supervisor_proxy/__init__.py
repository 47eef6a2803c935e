"""Proxy for calls to the supervisors on balena and Home Assistant devices."""
