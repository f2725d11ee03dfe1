"""Reading what an answer holds, or saying why it does not hold what it should. No I/O."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

import orjson

from tokenvault_data.errors import UnusableAnswer
from tokenvault_data.vault_api.cryptogram import Cryptogram

if TYPE_CHECKING:
    from tokenvault_data.vault_api.operations import Call
    from tokenvault_data.vault_api.transport import Answer


def json_bytes(answer: Answer) -> bytes:
    """Take the body of an answer, if it came as it was asked for.

    Returns
    -------
    bytes
        Without a byte order mark, which RFC 8259 (8.1) lets a reader ignore and no other reader of
        these bytes expects.

    Raises
    ------
    UnusableAnswer
        The body is compressed.
    """
    coding = answer.headers.get("content-encoding", "identity")
    if coding.lower() not in {"", "identity"}:
        raise UnusableAnswer(
            "the answer came compressed, although it was asked for as it is; nothing was taken from"
            " it. If a proxy between here and the vault does so, let it pass answers unchanged",
            status=answer.status,
        )
    return answer.body.removeprefix(codecs.BOM_UTF8)


def decode(body: bytes) -> Any:
    """Decode the body of a 200 as JSON; of a repeated key, the last value.

    Raises
    ------
    UnusableAnswer
        It is not JSON: a proxy's HTML page, a cut answer, another encoding, a thousand levels.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        kind = "an HTML page" if body.lstrip()[:1] == b"<" else f"{len(body)} bytes"
        raise UnusableAnswer(
            f"the vault answered 200 with {kind} instead of JSON; nothing was taken from it."
            " A proxy between here and the vault may have answered in its place",
            status=200,
        ) from None


def read_instrument(call: Call, answer: Answer) -> dict[str, Any]:
    """Read an answer that promises one instrument; one page of the documentation shows an array.

    Raises
    ------
    UnusableAnswer
        It holds none, or another than the one asked for.
    """
    content = decode(json_bytes(answer))
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, dict):
        raise UnusableAnswer(
            f"the vault answered {call.operation} without an instrument; nothing was taken from it",
            status=answer.status,
        )
    expected = {"instrument_id": call.instrument_id, "customer_id": call.customer_id}
    if any(content.get(name) not in (None, wanted) for name, wanted in expected.items()):
        raise UnusableAnswer(
            f"the vault answered {call.operation} with another instrument than the one asked for;"
            " nothing was taken from it. Report this to the vault's support",
            status=answer.status,
        )
    return content


def read_cryptogram(call: Call, answer: Answer) -> Cryptogram:
    """Read an answer that promises a cryptogram. Raises as `read_instrument` does."""
    content = read_instrument(call, answer)
    if not content.get("cryptogram"):
        raise UnusableAnswer(
            "the vault answered without a cryptogram; nothing was taken from it."
            " Check that the card is still active",
            status=answer.status,
        )
    return Cryptogram(content)
