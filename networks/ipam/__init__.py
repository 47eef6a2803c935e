"""Subnets and IP addresses."""
