"""Making an installed package absent, at the price that a missing package really has."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def make_absent(package: str) -> None:
    """Let every ``import package`` of this process search all of ``sys.path`` and find nothing.

    A ``None`` in ``sys.modules`` would make the import fail as well, but at once: the search is
    what a client pays that tries the import again for every request.
    """

    class Finder(PathFinder):
        @classmethod
        def find_spec(
            cls,
            fullname: str,
            path: Sequence[str] | None = None,
            target: ModuleType | None = None,
        ) -> ModuleSpec | None:
            sought = f"absent_{fullname}" if fullname == package else fullname
            return PathFinder.find_spec(sought, path, target)

    if package in sys.modules:
        raise RuntimeError(f"{package} was imported before it could be made absent")
    place = sys.meta_path.index(PathFinder)
    sys.meta_path[place] = Finder
