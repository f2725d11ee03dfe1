"""The one visual language of all charts: colours, sizes, type, and what is drawn how.

Colours are of Okabe and Ito's palette, which people with any colour vision tell apart. Meaning
never hangs on hue alone: what is missing is an outlined bar, what is summed up is pale, what needs
attention is named in words, and the steps of the heat map differ in lightness, so that grey print
keeps them.
"""

from __future__ import annotations

from typing import Any, Final

from tokenvault_data.reports.labels import is_missing, is_summed_up

FONT: Final = "Inter, Helvetica Neue, Arial, sans-serif"
INK: Final = "#1b2530"
QUIET_INK: Final = "#55606c"
PAPER: Final = "#ffffff"
BLACK: Final = "#000000"
RULE: Final = "#d5dae0"

MAIN: Final = "#0072b2"  # Okabe-Ito blue
ACCENT: Final = "#b34700"  # Okabe-Ito vermillion, darkened until its text has a contrast of 4.5
PALE: Final = "#b3bcc6"  # groups summed up: "(other)", small groups
EXPIRED: Final = "#7d8894"

WIDTH: Final = 720
"""Pixels of a chart on a page, in a document or a slide."""

NARROW_WIDTH: Final = 340
"""Pixels of the same chart on a phone."""

WIDE_FROM: Final = 560
"""Pixels from which a chart has room for names beside its bars."""

BAR_STEP: Final = 30
"""Pixels from one bar to the next."""

_SHADES: Final = ((0xE3, 0xF0, 0xF9), (0x5A, 0xA5, 0xD6), (0x08, 0x3B, 0x66))
"""The palest, middle and darkest cell of a heat map."""


def bar_colours(value: Any, fill: str = MAIN) -> dict[str, str]:
    """Return the colours of a bar: outlined where its value is missing, pale where it sums up."""
    if is_missing(value):
        return {"fill": PAPER, "outline": INK}
    return {"fill": PALE if is_summed_up(value) else fill}


def heat(part: float) -> str:
    """Return the colour of a cell, from 0 (palest) to 1: blue, lightness falling all the way."""
    low, high = _SHADES[:2] if part < 0.5 else _SHADES[1:]
    along = part * 2 - (part >= 0.5)
    mixed = (round(a + (b - a) * along) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink_on(background: str) -> str:
    """Return the text colour, black or white, that has the greater contrast on a background.

    One of them reaches 4.5, what WCAG 2.2 asks of text, on every colour.
    """
    return max((BLACK, PAPER), key=lambda ink: contrast(ink, background))


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2.2 contrast ratio, 1 to 21, of two ``#rrggbb`` colours."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
