"""What a person fills in about providers of OpenID Connect and about machines that come with their tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from identities.nkeys import SecretBytes

SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDraft:
    """A provider. Without a `client_secret` the one that is sealed stays; `no_secret` throws it away."""

    name: str
    issuer: str
    client_id: str
    client_secret: SecretBytes | None = field(default=None, repr=False)
    no_secret: bool = False
    scopes: tuple[str, ...] = SCOPES
    groups_claim: str = ""
    email_domains: tuple[str, ...] = ()
    creates_people: bool = False
    is_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadDraft:
    """Whose tokens get creds of a role: `conditions` are (claim, pattern) pairs, which all must fit.

    `user_name` may hold `{claim}`; `seconds` is how long creds live, kept within the role's terms.
    """

    name: str
    issuer: str
    audience: str
    conditions: tuple[tuple[str, str], ...]
    user_name: str
    seconds: int
    is_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody as a provider has just said they are; `email` is "" unless the provider has verified it."""

    subject: str
    email: str = ""
    name: str = ""
    username: str = ""
    groups: tuple[str, ...] = ()
