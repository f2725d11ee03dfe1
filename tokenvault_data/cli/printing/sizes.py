"""Sizes of files in words."""

from __future__ import annotations


def size_text(size_bytes: int) -> str:
    """Return a size in kB or MB.

    >>> size_text(1234), size_text(5_000_000)
    ('1.2 kB', '5.0 MB')
    """
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:,.1f} kB"
    return f"{size_bytes / 1_000_000:,.1f} MB"
