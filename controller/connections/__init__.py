"""How devices are reached: credentials, connections, shells."""
