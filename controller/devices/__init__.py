"""The inventory: devices, their groups, their presence and its history."""
