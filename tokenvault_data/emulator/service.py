"""The gateway around the vault: who may come in, how often, what is replayed, and what goes wrong.

From request to outcome without touching a connection; `app` delivers the outcome.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.emulator.answers import Response, error_answer
from tokenvault_data.emulator.dialects import DIALECTS
from tokenvault_data.emulator.faults.answers import (
    damaged,
    misled,
    nonsense_limit_headers,
    replacement,
)
from tokenvault_data.emulator.limiter import Limiter, limit_headers, make_limiter
from tokenvault_data.emulator.routing import query_values
from tokenvault_data.emulator.vault import EmulatedVault, ListQuery, StoredAnswer, VaultState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.emulator.answers import Headers
    from tokenvault_data.emulator.faults.faults import FaultRule, Strikes
    from tokenvault_data.emulator.population.population import Population
    from tokenvault_data.emulator.routing import Route
    from tokenvault_data.emulator.settings import EmulatorSettings


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


# Faults that need the connection itself to be delivered.
_DELIVERED_BY_HAND = ("hang", "reset-before", "reset-inside", "truncated", "drip", "huge-chunked")
_NEVER_ANSWERED = ("hang", "reset-before")


class Request(NamedTuple):
    """A request as far as the vault looks at it. Header names are in lower case."""

    method: str
    raw_path: bytes
    query: bytes
    route: Route
    headers: dict[bytes, bytes]
    port: int

    def header(self, name: bytes) -> str:
        """Read a header as text; empty when it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")


class Admission(NamedTuple):
    """Whether a request may go on (the refusal if not), its account, the limit headers to send."""

    refusal: Response | None
    account: bytes = b""
    limit_headers: Headers = ()


UNLIMITED_HEADER = b"x-emulator-unlimited"


class Outcome(NamedTuple):
    """What is to be sent, and how.

    `answer` is None when nothing is sent at all; `by_hand` is the fault whose delivery needs the
    connection.
    """

    answer: Response | None
    applied: str
    by_hand: FaultRule | None = None


class Service:
    """One emulated account service.

    Parameters
    ----------
    settings
        See `EmulatorSettings`.
    population
        The truth to answer from.
    """

    def __init__(self, settings: EmulatorSettings, population: Population) -> None:
        self._settings = settings
        self._state = VaultState()
        self._vault = EmulatedVault(settings, population, self._state)
        self._limiters: dict[bytes, Limiter] = {}
        self._demanded = (settings.demand_client_id, settings.demand_client_secret)

    def set_credentials(self, client_id: str | None, client_secret: str | None) -> None:
        """Demand other credentials from the next request on; None takes any."""
        self._demanded = (client_id, client_secret)

    def admit(self, request: Request, now: float) -> Admission:
        """Check path, credentials, rate limit and version, in this order."""
        operation = request.route.operation
        if operation == "no such path":
            return Admission(error_answer(404, "path_not_found", "No such path"))
        if operation == "no such method":
            return Admission(error_answer(405, headers=((b"allow", request.route.allow),)))
        account = account_of(request.headers, *self._demanded)
        if account is None:
            return Admission(error_answer(401))
        # By its port a client sees that nothing stands between, which may have a limit of its own.
        headers: Headers = ((UNLIMITED_HEADER, b"%d" % request.port),)
        if self._settings.rate_limit_per_minute is not None:
            verdict = self._limiter_of(account).admit(now)
            headers = tuple(limit_headers(verdict, self._settings.limit_header_dialects))
            if not verdict.allowed:
                return Admission(error_answer(429), account, headers)
        version = request.headers.get(b"x-api-version", b"")
        if version.decode("latin-1") not in DIALECTS:
            problem = "not valid" if version else "missing"
            refusal = error_answer(400, "api_version_invalid", f"x-api-version is {problem}")
            return Admission(refusal, account, headers)
        return Admission(None, account, headers)

    def outcome(
        self, request: Request, admission: Admission, strikes: Strikes, now: float
    ) -> Outcome:
        """Carry the operation out, or let it go wrong in the way of the faults that strike."""
        if admission.refusal is not None:
            made = Outcome(admission.refusal, "")
        elif not strikes:
            answer = self._answer(request, admission.account, strikes, now)
            made = Outcome(answer, answer.applied)
        else:
            made = self._struck_outcome(request, admission.account, strikes, now)
        sent = admission.limit_headers
        if "headers" in strikes:
            sent = nonsense_limit_headers(strikes["headers"], self._settings.limit_header_dialects)
        if made.answer is None or not sent:
            return made
        own = {name for name, _ in made.answer.headers}
        headers = made.answer.headers + tuple(header for header in sent if header[0] not in own)
        return made._replace(answer=made.answer._replace(headers=headers))

    def _struck_outcome(
        self, request: Request, account: bytes, strikes: Strikes, now: float
    ) -> Outcome:
        replace, damage = strikes.get("replace"), strikes.get("damage")
        foreign_origin = f"http://localhost:{request.port}"
        if replace is not None and replace.status != 500:
            applied = ""
            if replace.applied_first:
                applied = self._answer(request, account, strikes, now).applied
            by_hand = replace if replace.kind.name in _DELIVERED_BY_HAND else None
            if replace.kind.name in _NEVER_ANSWERED:
                return Outcome(None, applied, by_hand)
            path = (request.raw_path + b"?" + request.query).decode("latin-1").rstrip("?")
            return Outcome(replacement(replace, path, foreign_origin), applied, by_hand)
        answer = self._answer(request, account, strikes, now)
        if "paging" in strikes and request.route.operation == "list":
            answer = misled(
                strikes["paging"],
                answer,
                _list_query(request),
                shape=self._settings.paging_shape,
                foreign_origin=foreign_origin,
            )
        if damage is None:
            return Outcome(answer, answer.applied)
        by_hand = damage if damage.kind.name in _DELIVERED_BY_HAND else None
        return Outcome(damaged(damage, answer), answer.applied, by_hand)

    def _answer(self, request: Request, account: bytes, strikes: Strikes, now: float) -> Response:
        """Give the service's own answer, replayed where an idempotency key asks for it.

        A 500 is the service's own and is stored like any answer; other statuses that replace an
        answer are made in front of it and never reach its memory.
        """
        key = request.headers.get(b"x-idempotency-key", b"")
        if not key or request.route.operation != "delete":
            return self._operate(request, strikes, now)
        asked = f"{request.method} {request.raw_path.decode('latin-1')}"
        stored = self._state.stored_answer(account, key)
        if stored is None:
            answer = self._operate(request, strikes, now)
            self._state.store_answer(account, key, StoredAnswer(asked, answer.status, answer.body))
            return answer
        if stored.request != asked:
            return error_answer(422)
        return Response(stored.status, stored.body, applied="replayed")

    def _operate(self, request: Request, strikes: Strikes, now: float) -> Response:
        replace = strikes.get("replace")
        if replace is None or replace.status != 500:
            return self._carry_out(request, strikes, now)
        failure = replacement(replace, "", "")
        if not replace.applied_first:
            return failure
        return failure._replace(applied=self._carry_out(request, strikes, now).applied)

    def _carry_out(self, request: Request, strikes: Strikes, now: float) -> Response:
        route = request.route
        version = request.header(b"x-api-version")
        match route.operation:
            case "list":
                lag = strikes.get("lag")
                lag_seconds = 0.0 if lag is None else lag.number
                query = _list_query(request)
                return self._vault.list_instruments(query, version, now, lag_seconds)
            case "fetch":
                return self._vault.fetch(route, version, now)
            case "cryptogram":
                return self._vault.cryptogram(route, version, now)
            case _:
                takes_effect_at: float | None = now
                rule = strikes.get("delete")
                if rule is not None:
                    takes_effect_at = now + rule.number if rule.kind.name == "late" else None
                return self._vault.delete(route, version, now, takes_effect_at=takes_effect_at)

    def _limiter_of(self, account: bytes) -> Limiter:
        limiter = self._limiters.get(account)
        if limiter is None:
            limiter = make_limiter(
                self._settings.window,
                self._settings.rate_limit_per_minute or 1,
                window_seconds=self._settings.window_seconds,
                burst=self._settings.burst,
                rejected_count=self._settings.rejected_count,
            )
            self._limiters[account] = limiter
        return limiter


def _list_query(request: Request) -> ListQuery:
    origin = f"http://{request.header(b'host')}"
    return ListQuery(request.route.customer_id, query_values(request.query), origin)
