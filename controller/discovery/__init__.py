"""Network discovery: find devices that are not in the inventory yet."""
