"""Rules of vendor gateways and their staged changes."""
