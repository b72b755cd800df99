"""Axes of data whose range is not known beforehand: linear or logarithmic, with plain numbers."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator

WIDE = 100.0  # the span, largest to smallest, above which an axis is logarithmic
MOST_DECADES = 6  # numbers on a logarithmic axis
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(values: Iterable[float | None]) -> np.ndarray:
    """Returns a float64 array of the values, NaN for None and for infinities."""
    array = np.array([np.nan if v is None else v for v in values], np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def is_wide(values: np.ndarray) -> bool:
    """Says whether a logarithmic axis suits: known values are positive and span over 2 decades."""
    known = values[np.isfinite(values)]
    return bool(known.size and known.min() > 0 and known.max() > WIDE * known.min())


def set_scale(axes: Axes, which: str, *, log: bool) -> None:
    """Gives the axis `x` or `y` of axes whose data is drawn its scale and a handful of numbers."""
    axes.set(**{f"{which}scale": "log" if log else "linear"})
    axis: Axis = getattr(axes, f"{which}axis")
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low) if log else 0
    if decades > 0.3:
        # Over a decade or two, powers of ten alone are too few.
        subs = (1,) if decades > 2 else (1, 2, 5) if decades > 0.9 else (1, 1.5, 2, 3, 4, 6, 8)
        axis.set_major_locator(LogLocator(subs=subs, numticks=MOST_DECADES))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: plain_number(value))


def set_ticks(axis: Axis, values: Sequence[float]) -> None:
    """Puts numbers at these values alone, such as the few values that were measured."""
    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: plain_number(value))


def plain_number(value: float) -> str:
    """Writes seven digits at most, and powers of ten of what is very large or small: `2·10⁷`.

    It is no mathematical text, whose letters an SVG places one by one.
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        return f"{value:,.7g}".replace("-", "−")
    mantissa, exponent = f"{value:.2e}".split("e")
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    digits = f"{float(mantissa):g}".replace("-", "−")
    return power if digits == "1" else f"{digits}·{power}"


def ten_digits(value: float, _: int) -> str:
    """Writes a number beside an axis with up to ten digits, as matplotlib's formatters do."""
    return f"{value:,.10g}"
