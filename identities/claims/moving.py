"""What claims say of an account that gets another public key: its own, and those of accounts that name it.

To a server the account with the new key is another account; whatever names the old one must name the new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.imports import Import

Renew = Callable[[Import], str]
"""The activation token that takes the place of an import's, "" when there can be none."""


def names(body: AccountBody, key: str) -> bool:
    """Whether an account's claims name the account `key` at all: as exporter, or for its auth callout."""
    return key in body.authorization.allowed_accounts or any(
        imported is not None and imported.account == key for imported in body.imports
    )


def elsewhere(claims: Claims[AccountBody], old: str, new: str, renew: Renew) -> Claims[AccountBody]:
    """The claims of another account, with `new` wherever they named `old`; activation tokens by `renew`."""
    body = claims.nats
    imports = tuple(
        _from(imported, new, renew) if imported is not None and imported.account == old else imported
        for imported in body.imports
    )
    return replace(claims, nats=_callout(replace(body, imports=imports), old, new))


def itself(claims: Claims[AccountBody], new: str, renew: Renew) -> Claims[AccountBody]:
    """The claims of the account itself under its new key. A subject to import that holds the account's own key (an
    export with an account token position asks for it) holds the new one; so do local names that are left to it.
    """
    old, body = claims.sub, claims.nats
    imports = tuple(None if imported is None else _to(imported, old, new, renew) for imported in body.imports)
    return replace(claims, sub=new, nats=_callout(replace(body, imports=imports), old, new))


def moved_subject(subject: str, old: str, new: str) -> str:
    """A subject with `new` in the place of each token that is `old`."""
    if old not in subject:
        return subject
    return ".".join(new if token == old else token for token in subject.split("."))


def _from(imported: Import, new: str, renew: Renew) -> Import:
    return replace(imported, account=new, token=renew(imported) if imported.token else "")


def _to(imported: Import, old: str, new: str, renew: Renew) -> Import:
    subject = moved_subject(imported.subject, old, new)
    token = renew(imported) if imported.token else ""
    return replace(imported, subject=subject, token=token)


def _callout(body: AccountBody, old: str, new: str) -> AccountBody:
    allowed = body.authorization.allowed_accounts
    if old not in allowed:
        return body
    named = tuple(new if key == old else key for key in allowed)
    return replace(body, authorization=replace(body.authorization, allowed_accounts=named))
