"""The official SDK, led to loopback: it knows two hosts and takes no third."""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # generated code on pydantic's old names
    from cashfree_pg.api_client import ApiClient, Cashfree

warnings.filterwarnings("ignore", module="cashfree_pg")
warnings.filterwarnings("ignore", category=DeprecationWarning)


class _LoopbackApiClient(ApiClient):
    base_url = ""

    @property
    def configuration(self) -> Any:
        return self._configuration

    @configuration.setter
    def configuration(self, configuration: Any) -> None:
        if self.base_url and configuration is not None:
            configuration.host = self.base_url
        self._configuration = configuration


def loopback_sdk(base_url: str) -> Any:
    """Make the SDK's client of `base_url`; all threads of the process may use it."""
    client = _LoopbackApiClient()  # type: ignore[no-untyped-call]  # generated code
    client.base_url = base_url
    ApiClient.set_default(client)  # type: ignore[no-untyped-call]  # as above
    return Cashfree(Cashfree.SANDBOX, XClientId="bench", XClientSecret="bench-made-up")
