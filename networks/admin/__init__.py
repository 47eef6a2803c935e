"""Addresses for people."""
