"""Collect, analyse and clean up the saved cards of a Cashfree Token Vault.

>>> import tokenvault_data as tv
>>> with tv.connect("emulator") as vault:  # doctest: +SKIP
...     snapshot = tv.collect(vault, ["cust_0000000", "cust_0000001"])
>>> tv.open_snapshot("vault-data").to_pandas()  # doctest: +SKIP

The names stand in `__init__.pyi` beside this file, the only list of them. Each is loaded when first
used, so that importing the package costs next to nothing.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
