"""Values as people read them."""

MINUTE, HOUR, DAY = 60, 3600, 86_400
PREFIXES = ("", "k", "M", "G", "T")
THOUSAND = 1000
FEW = 10
DASH = "\N{EN DASH}"


def bits(value: float | None) -> str:
    """Return a rate as ``38 Mb/s``; a dash where there is none."""
    if value is None:
        return DASH
    for prefix in PREFIXES:
        if value < THOUSAND or prefix == PREFIXES[-1]:
            break
        value /= THOUSAND
    digits = 1 if value < FEW and prefix else 0
    return f"{value:.{digits}f} {prefix}b/s"


def duration(seconds: float | None) -> str:
    """Return a time as ``9 h 51 min``, in its two largest units."""
    if seconds is None:
        return DASH
    total = int(seconds)
    days, hours, minutes = total // DAY, total % DAY // HOUR, total % HOUR // MINUTE
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{total} s"


def measured(value: float | None, unit: str) -> str:
    """Return a value with its unit, with as many digits as say something."""
    if value is None:
        return DASH
    if unit == "bit/s":
        return bits(value)
    text = f"{value:.0f}" if abs(value) >= FEW or value == int(value) else f"{value:.1f}"
    return f"{text} {unit}".strip()
