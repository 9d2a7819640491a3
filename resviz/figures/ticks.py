"""The numbers that stand at a logarithmic axis: round, and few enough to be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MOST = 5
ROUND = (1.0, 2.0, 5.0)
ALIKE = 1e-3  # of a value: what differs by less is one value


def log_ticks(values: Iterable[float | None]) -> list[float]:
    """Two to five round numbers within positive `values`, ascending; None among them is left out.

    1, 2 and 5 times powers of ten, or powers alone where those are too many; over a short range
    equal steps. Without values there is none, and of values that are alike one.
    """
    known = [value for value in values if value is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    decades = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = [10.0**k for k in range(decades[0], decades[1] + 1)]
    for ticks in (
        [float(f"{digit * power:g}") for power in powers for digit in ROUND],
        powers,
        *(powers[::every] for every in range(2, len(powers))),
    ):
        inside = [tick for tick in ticks if low <= tick <= high]
        if 2 <= len(inside) <= MOST:
            return inside
        if len(inside) < 2:
            break
    return _even(low, high)


def _even(low: float, high: float) -> list[float]:
    """The finest equal steps of 1, 2 or 5 times a power of ten that are not too many."""
    if high - low <= ALIKE * high:
        return [float(f"{low:.4g}")]
    least = (high - low) / MOST
    power = 10.0 ** math.floor(math.log10(least))
    for step in (power * digit for digit in (*ROUND, 10.0, 20.0)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < MOST:
            return [float(f"{k * step:.6g}") for k in range(first, last + 1)]
    raise AssertionError(f"no step for {low} … {high}")


def log_axis(values: Sequence[float | None]) -> dict[str, object]:
    """What a figure's logarithmic axis is to be told to show them."""
    ticks = log_ticks(values)
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
