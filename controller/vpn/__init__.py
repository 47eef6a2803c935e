"""VPN servers and the clients that devices are of them."""
