"""Who is calling: the credentials of a request, and whether they are the demanded ones.

Accepted are the pairs the documentation names: client id with secret, client id with signature
(which stands in for the secret where the account asks for signed clients; it is not verified
here), and for a partner acting for a merchant, the partner's key with the merchant's id.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def account_of(
    headers: Mapping[bytes, bytes], demand_client_id: str | None, demand_client_secret: str | None
) -> bytes | None:
    """Find the account that a request's budget is taken from; None when it may not come in.

    Parameters
    ----------
    headers
        Names in lower case.
    demand_client_id, demand_client_secret
        None takes anything that is not empty. With a demanded client id, a partner's merchant id
        has to equal it, for it names the same account; with a demanded secret, so has the
        partner's key.
    """
    client_id = headers.get(b"x-client-id", b"")
    secret = headers.get(b"x-client-secret", b"")
    signature = headers.get(b"x-client-signature", b"")
    if not client_id:
        client_id = headers.get(b"x-partner-merchantid", b"")
        secret = headers.get(b"x-partner-apikey", b"")
        signature = b""
    if not client_id or not (secret or signature):
        return None
    if not _is_as_demanded(client_id, demand_client_id):
        return None
    if secret and not _is_as_demanded(secret, demand_client_secret):
        return None
    return client_id


def _is_as_demanded(given: bytes, demanded: str | None) -> bool:
    return demanded is None or compare_digest(given, demanded.encode())
