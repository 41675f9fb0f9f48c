"""Why a sealed secret could not be sealed or opened."""

from __future__ import annotations

from identities.errors import IdentityError


class VaultError(IdentityError):
    """A key ring or a sealed secret is unusable. The message names keys of the ring, never their bytes."""

    code = "vault-error"
