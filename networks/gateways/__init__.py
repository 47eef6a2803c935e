"""Vendor gateways and their staged changes."""
