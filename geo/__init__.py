"""Locations, floor plans, and where devices stand."""
