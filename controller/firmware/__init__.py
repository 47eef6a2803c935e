"""Firmware: images, the devices they fit, and upgrades in waves."""
