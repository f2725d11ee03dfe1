"""Every error the toolkit raises on purpose, in one tree.

::

    TokenVaultError
    ├── UsageError                what was asked for cannot be done as asked; nothing was sent
    │   ├── IdentifierError       an id that no request can be made of
    │   ├── CustomerListError     a list of customer ids that cannot be trusted as read
    │   ├── ProfileError          credentials or environment missing, unsafe or contradictory
    │   └── PlanDamaged           a cleanup plan that is not, byte for byte, the one that was sealed
    ├── VaultError                one call to the vault did not end in an answer that can be used
    │   ├── RequestRejected       400, 409, 422 and other 4xx: the vault refused this request
    │   │   └── NotFound          404: no such instrument (or wrong customer, or already deleted)
    │   ├── AccessDenied          401, 403: credentials wrong, feature off, or this customer refused
    │   ├── RateLimited           429, and waiting for the budget would have passed the deadline
    │   ├── VaultUnavailable      5xx, 408, 425: the gateway, or something behind it, is down
    │   ├── NotSent               the connection never stood: the vault did not see the request
    │   │   └── CertificateRejected   the other side could not prove who it is
    │   ├── AnswerLost            sent, but no whole answer came back: it may have been carried out
    │   ├── CallAbandoned         the client was told to stop before the request left
    │   └── UnusableAnswer        an answer came that is not what the operation promises
    │       └── PagingFault       pages that repeat, never end, or lead to another host
    ├── SnapshotError             a folder that is not, or no longer, the snapshot it claims to be
    ├── CollectionError           a collection could not go on; what was done is kept
    │   └── CollectionInterrupted the user, or the system, asked it to stop; it can be resumed
    ├── CampaignError             a cleanup campaign did not end; what was done is journaled
    │   ├── CampaignPaused        it stopped where it can go on, by request or by itself
    │   └── CampaignHalted        something does not add up; it never goes on by itself
    ├── Locked                    another process holds what this one needs
    └── RefusedByGuardRail        allowed to ask for, not allowed to happen

Messages say what happened, what was done about it, and what to do next; none holds a credential or
a customer id in clear unless the caller has just typed that id.
"""

from __future__ import annotations


class TokenVaultError(Exception):
    """Anything the toolkit reports on purpose."""


class UsageError(TokenVaultError):
    """What was asked for cannot be done as asked; nothing was sent."""


class IdentifierError(UsageError, ValueError):
    """An id that no request can be made of."""


class CustomerListError(UsageError, ValueError):
    """A list of customer ids that cannot be trusted as read."""


class ProfileError(UsageError):
    """Credentials or environment are missing, unsafe or contradictory."""


class PlanDamaged(UsageError):
    """A cleanup plan that is not, byte for byte, the one that was sealed."""


class VaultError(TokenVaultError):
    """One call to the vault did not end in an answer that can be used.

    Attributes
    ----------
    status : int or None
        HTTP status of the last answer, None when there was none.
    code : str or None
        The vault's own ``code`` of the error body, e.g. ``instrument_not_found``.
    attempts : int
        How many requests were sent for this call, 0 when none left.
    request_id : str or None
        ``x-request-id`` of the last request, which the vault's support asks for.
    """

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, attempts: int = 1
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.attempts = attempts
        self.request_id: str | None = None

    def __str__(self) -> str:
        message = super().__str__()
        return message if self.request_id is None else f"{message} [request id {self.request_id}]"


class RequestRejected(VaultError):
    """The vault refused this request; sending it again would be refused again."""


class NotFound(RequestRejected):
    """No such instrument: wrong id, wrong customer, or already deleted."""


class AccessDenied(VaultError):
    """Access was refused: credentials wrong, feature off, or, among good answers, one customer."""


class RateLimited(VaultError):
    """The account's budget was spent, and waiting for it would have passed the deadline.

    Attributes
    ----------
    others_answered : bool
        Whether other calls were answered meanwhile, so that it is about this one.
    """

    others_answered = False


class VaultUnavailable(VaultError):
    """The gateway, or a service behind it, is down; the same call may work later."""


class NotSent(VaultError):
    """The connection never stood: the vault did not see the request."""


class CertificateRejected(NotSent):
    """The other side could not prove who it is; nothing was sent to it."""


class AnswerLost(VaultError):
    """Sent, but no whole answer came back: the vault may or may not have carried it out."""


class CallAbandoned(VaultError):
    """The client was told to stop while the call was waiting to be sent; nothing left."""


class UnusableAnswer(VaultError):
    """An answer came that is not what the operation promises."""


class PagingFault(UnusableAnswer):
    """Pages that repeat, never end, or lead to another host."""


class SnapshotError(TokenVaultError):
    """A folder that is not, or is no longer, the snapshot it claims to be."""


class CollectionError(TokenVaultError):
    """A collection could not go on; what was done is kept."""


class CollectionInterrupted(CollectionError):
    """Someone asked the collection to stop; run it again and it goes on."""


class CampaignError(TokenVaultError):
    """A cleanup campaign did not end; what was done is journaled."""


class CampaignPaused(CampaignError):
    """A campaign stopped where it can go on, by request or by itself."""


class CampaignHalted(CampaignError):
    """Something about a campaign does not add up; it never goes on by itself."""


class Locked(TokenVaultError):
    """Another process holds what this one needs."""


class RefusedByGuardRail(TokenVaultError):
    """Something that may be asked for, but must not happen."""
