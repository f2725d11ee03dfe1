"""Widgets for notebooks: the same calls as on the command line, behind bars, tables and buttons.

Everything here needs ``ipywidgets`` and ``anywidget``, which come with the extra ``notebook``, and
is loaded when first used.

>>> from tokenvault_data.widgets import Explorer  # doctest: +SKIP
>>> Explorer(tv.open_snapshot("vault-data"))  # doctest: +SKIP
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
