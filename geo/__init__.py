"""Locations, floor plans, and the positions of devices."""
