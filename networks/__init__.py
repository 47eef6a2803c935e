"""Networks: address management, overlay networks and vendor gateways, one package each."""
