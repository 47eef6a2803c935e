"""Overlay networks, addresses, vendor gateways."""
