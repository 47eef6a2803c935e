"""Credentials, connections, commands and shells: access to devices."""
