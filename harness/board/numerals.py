"""How numbers are written for readers: two significant digits with their interval, counts, sizes, seconds."""

from __future__ import annotations

import math

MINUS = "\u2212"


def decimals(value: float, low: float | None = None, high: float | None = None) -> int:
    """Decimal places that show two significant digits of the value, no finer than its interval allows."""
    by_value = _places(value, 2)
    if low is None or high is None or high <= low:
        return max(0, min(by_value, 6))
    return max(0, min(max(_places((high - low) / 2, 1), min(by_value, 2)), 6))


def fixed(value: float, places: int) -> str:
    """`value` with `places` decimals, a true minus sign, spaces between thousands, and no negative zero."""
    text = f"{value:,.{places}f}".replace(",", "\u202f")
    if text.startswith("-"):
        text = text[1:] if not any(c in "123456789" for c in text) else MINUS + text[1:]
    return text


def number(value: float, low: float | None = None, high: float | None = None) -> str:
    """The value alone, with the digits that its interval allows: "0.62"."""
    return fixed(value, decimals(value, low, high))


def estimate(value: float, low: float | None = None, high: float | None = None) -> str:
    """The value with its interval where there is one: "0.62 [0.55, 0.69]"."""
    places = decimals(value, low, high)
    if low is None or high is None:
        return fixed(value, places)
    return f"{fixed(value, places)} [{fixed(low, places)}, {fixed(high, places)}]"


def percent(value: float, low: float | None = None, high: float | None = None) -> str:
    """A share in per cent with its interval: "62 % [55, 69]"."""
    places = decimals(100 * value, *(None if x is None else 100 * x for x in (low, high)))
    wide = low is None or high is None or high - low > 0.01
    places = min(places, 0 if wide and abs(value) >= 0.01 else 1)
    text = f"{fixed(100 * value, places)}\u00a0%"
    if low is None or high is None:
        return text
    return f"{text} [{fixed(100 * low, places)}, {fixed(100 * high, places)}]"


def count(value: int | float) -> str:
    """A whole number with thin spaces between thousands."""
    return fixed(round(value), 0)


def scaled(value: int | float) -> str:
    """A large count in up to three digits and a unit: "7.6 M", "162 k"."""
    return _scaled(float(value), 1000.0, ("", "k", "M", "B", "T"))


def size(value_bytes: int | float) -> str:
    """Bytes in binary units: "26 MiB"."""
    return _scaled(float(value_bytes), 1024.0, ("B", "KiB", "MiB", "GiB", "TiB"))


def seconds(value_s: float) -> str:
    """A duration: "34 ms", "2.1 s", "3 min 5 s"."""
    if value_s < 1:
        return f"{number(1000 * value_s)}\u00a0ms"
    if value_s < 120:
        return f"{number(value_s)}\u00a0s"
    minutes, rest = divmod(round(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}\u00a0h {minutes}\u00a0min" if hours else f"{minutes}\u00a0min {rest}\u00a0s"


def _places(value: float, digits: int) -> int:
    return (
        6
        if value == 0 and digits == 1
        else 2
        if value == 0
        else digits - 1 - math.floor(math.log10(abs(value)))
    )


def _scaled(value: float, step: float, units: tuple[str, ...]) -> str:
    for unit in units:
        if abs(value) < 999.5 or unit == units[-1]:
            break
        value /= step
    places = 1 if abs(value) < 9.95 and unit != units[0] else 0
    return f"{fixed(value, places)}\u00a0{unit}".rstrip("\u00a0")
