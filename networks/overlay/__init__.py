"""Overlay networks over WireGuard."""
