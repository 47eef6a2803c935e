class BadImage(ValueError):
    """File that is no usable firmware image; the message says why and what to do."""
