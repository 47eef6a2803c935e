"""Drivers of outgoing requests of the PKI."""
