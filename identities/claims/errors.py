"""The error of this floor."""

from __future__ import annotations

from identities.errors import IdentityError


class ClaimsError(IdentityError):
    """A token or claims document is not what it should be; where a rule is the Go library's, in its words."""

    code = "bad-claims"
