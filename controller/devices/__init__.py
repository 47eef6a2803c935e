"""Inventory: devices, groups, presence and enrollments."""
