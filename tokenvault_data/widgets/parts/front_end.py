"""The front end's files: plain JavaScript modules and style sheets of this package.

They are handed to the browser as text over the kernel's own connection, so that nothing is
fetched from anywhere, and put text into the page by ``textContent`` only.
"""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """Return the JavaScript module of a widget, what all of them share in front of it."""
    return _text("dom.js") + _text(f"{name}.js")


def style(*names: str) -> str:
    """Return the style sheets of a widget behind the one that all share."""
    return "".join(_text(f"{name}.css") for name in ("theme", *names))


def _text(name: str) -> str:
    return files(__package__).joinpath("static", name).read_text("utf-8")
