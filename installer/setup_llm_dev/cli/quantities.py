"""Bytes, seconds and measured numbers as people read them."""

from typing import Any

from setup_llm_dev.messages import Message, message

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(count: float) -> str:
    """Bytes in the unit that keeps the number short.

    >>> size_text(209_715_200), size_text(17_179_869_184), size_text(12)
    ('200 MiB', '16.0 GiB', '12 B')
    """
    value, units = float(count), list(_UNITS)
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    unit = units[0]
    digits = 1 if unit in ("GiB", "TiB") or (unit == "MiB" and value < 10) else 0
    return f"{value:.{digits}f} {unit}"


def duration(seconds: float) -> Message:
    """Seconds, or minutes and seconds."""
    if seconds < 60:
        return message("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    return message("{minutes} min {seconds} s", minutes=minutes, seconds=rest)


def measured_text(value: Any) -> str:
    """A measurement of any shape on one line: numbers short, tables as `key value`."""
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.4g}"
        case dict():
            return ", ".join(f"{key} {measured_text(item)}" for key, item in value.items())
        case list() | tuple():
            return " ".join(measured_text(item) for item in value) or "–"
        case _:
            return str(value)
