"""Finding devices that are not in the inventory yet."""
