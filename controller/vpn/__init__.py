"""VPN servers and their clients."""
