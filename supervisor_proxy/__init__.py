"""Calls to the supervisors that run on balena and Home Assistant devices."""
