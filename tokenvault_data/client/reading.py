"""Reading what an answer holds, or saying why it does not hold what it should. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.client.cryptogram import Cryptogram
from tokenvault_data.errors import UnusableAnswer
from tokenvault_data.payment_data import without_payment_data
from tokenvault_data.vault_json import NotJson, decode, decode_strictly

if TYPE_CHECKING:
    from tokenvault_data.client.calls import Call
    from tokenvault_data.client.transport import Answer


def read_json(answer: Answer, *, is_strict: bool = False) -> Any:
    """Decode the body of an answer as JSON, whatever its headers say of it.

    Types and encodings are named wrongly as often as not, and compressed bytes are no JSON. Where
    something is to be proven with it, `is_strict`, a damaged value spoils the whole.

    Raises
    ------
    UnusableAnswer
        It is not JSON: a proxy's HTML page, a cut or compressed answer, another encoding.
    """
    try:
        return (decode_strictly if is_strict else decode)(answer.body)
    except NotJson:
        pass
    coding = answer.headers.get("content-encoding", "identity")
    if coding.lower() not in {"", "identity"} or answer.body.startswith(_COMPRESSED):
        raise UnusableAnswer(
            "the answer came compressed, although it was asked for as it is; nothing was taken from"
            " it. If a proxy between here and the vault does so, let it pass answers unchanged",
            status=answer.status,
        )
    size = len(answer.body)
    kind = "an HTML page" if answer.body.lstrip()[:1] == b"<" else f"{size} bytes"
    raise UnusableAnswer(
        f"the vault answered {answer.status} with {kind} instead of JSON; nothing was taken from"
        " it. A proxy between here and the vault may have answered in its place",
        status=answer.status,
    )


_COMPRESSED = b"\x1f\x8b"  # gzip, by far the most frequent


def read_instrument(call: Call, answer: Answer) -> dict[str, Any]:
    """Read an answer that promises one instrument; one page of the documentation shows an array.

    Payment data is removed from it.

    Raises
    ------
    UnusableAnswer
        It holds none, or another than the one asked for.
    """
    kept: dict[str, Any] = without_payment_data(_one_instrument(call, answer))
    return kept


def _one_instrument(call: Call, answer: Answer) -> dict[str, Any]:
    content = read_json(answer)
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
    content = _one_instrument(call, answer)
    if not content.get("cryptogram"):
        raise UnusableAnswer(
            "the vault answered without a cryptogram; nothing was taken from it."
            " Check that the card is still active",
            status=answer.status,
        )
    return Cryptogram(content)
