"""The account that a panel's cleanup is for: a client it was given, or one for each job."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tokenvault_data.cleanup.campaign.preflight import Account
from tokenvault_data.client.blocking import Vault
from tokenvault_data.config.loading import Profile, load_profile
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.dataset.snapshots import Snapshot


class CleanupAccount:
    """Where requests go, if anywhere.

    Parameters
    ----------
    vault : Vault, Profile or str, optional
        A client, which stays open; or a profile, or the name of one, with which a client is made
        for each job. Without one nothing can be sent.
    snapshot : Snapshot
        Says which account it is where nothing else does.

    Attributes
    ----------
    is_connected : bool
        Whether requests can be sent.
    environment : str
    merchant : str or None
        `Profile.merchant_digest`.

    Raises
    ------
    ProfileError
        Credentials or environment are missing, unsafe or contradictory.
    """

    def __init__(self, vault: Vault | Profile | str | None, snapshot: Snapshot) -> None:
        self._vault = vault if isinstance(vault, Vault) else None
        self._profile: Profile | None = None
        if vault is not None:
            named = load_profile(vault) if isinstance(vault, str) else vault
            self._profile = named.profile if isinstance(named, Vault) else named
        self.is_connected = self._profile is not None
        manifest = snapshot.manifest
        known = self._profile
        self.environment: str = known.environment if known else manifest.environment
        self.merchant: str | None = known.merchant_digest if known else manifest.merchant

    @property
    def limit_per_minute(self) -> int | None:
        """The account's rate limit as last told, None while it is not known."""
        try:
            return None if self._vault is None else self._vault.budget.limit_per_minute
        except UsageError:  # closed; whoever wants to send something is told
            return None

    def admitted(self, share: float) -> Account | None:
        """Return the account as a plan is held against it; None without one, or once closed.

        Parameters
        ----------
        share : float
            Part of the rate limit that a client of ours would take.
        """
        if self._profile is None:
            return None
        if self._vault is not None:
            try:
                share = self._vault.budget.share
            except UsageError:
                return None
        return Account(self._profile.environment, self._profile.merchant_digest, share)

    @contextmanager
    def client(self, share: float) -> Iterator[Vault]:
        """Give a client for one job.

        Raises
        ------
        UsageError
            There is no account to send to.
        """
        if self._vault is not None:
            yield self._vault
        elif self._profile is not None:
            with Vault(self._profile, share_at_most=share) as made:
                yield made
        else:
            raise UsageError("No vault was given, so nothing was sent; make the panel with one.")
