"""What a person fills in to create something: plain values that forms, the API and commands hand to services."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import UserPermissionLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorDraft:
    """A new operator, with the options of `nsc add operator`. Times are unix seconds, 0 = not set."""

    name: str
    generate_signing_key: bool = True
    system_account: bool = True
    require_signing_keys: bool = False
    account_server_url: str = ""
    service_urls: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expires: int = 0
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorEdit:
    """The editable state of an operator; its signing keys and system account are edited apart."""

    name: str
    account_server_url: str = ""
    service_urls: tuple[str, ...] = ()
    require_signing_keys: bool = False
    assert_server_version: str = ""
    tags: tuple[str, ...] = ()
    expires: int = 0
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDraft:
    """A new account. `public_key` brings an existing A key whose seed stays elsewhere."""

    name: str
    public_key: str = ""
    description: str = ""
    info_url: str = ""
    limits: OperatorLimits | None = None
    tags: tuple[str, ...] = ()
    expires: int = 0
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEdit:
    """Name, texts, tags and times of an account (its limits are edited apart)."""

    name: str
    description: str = ""
    info_url: str = ""
    tags: tuple[str, ...] = ()
    expires: int = 0
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationDraft:
    """An activation token for the account `target` (its public key) on `subject`, which may be narrower than the
    export's. Times are unix seconds, 0 = not set."""

    target: str
    subject: str
    expires: int = 0
    not_before: int = 0


class Minting(StrEnum):
    """Whether an import gets a token that is issued here: no, if its export asks for one and it has none, or anew.

    LATER: one will be given when the draft is carried out; only for planning it.
    """

    NO = "no"
    IF_ASKED = "if-asked"
    YES = "yes"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDraft:
    """An import as it shall stand, and whether a token is issued for it, valid until `expires` (0: for good)."""

    imported: Import
    minting: Minting = Minting.NO
    expires: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDraft:
    """A new user. `signer` chooses one of the account's keys ("" = the account's choice); for a scoped one
    `limits` must be None."""

    name: str
    public_key: str = ""
    limits: UserPermissionLimits | None = None
    tags: tuple[str, ...] = ()
    expires: int = 0
    not_before: int = 0
    signer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortLivedDraft:
    """A user that a role issues for a while and that is not kept. `lifetime` is seconds, None for the role's usual;
    `public_key` is the caller's own, "" for one that is made."""

    name: str
    tags: tuple[str, ...] = ()
    lifetime: int | None = None
    public_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEdit:
    """The whole editable state of a user; `limits` None keeps a role-issued user as it is."""

    name: str
    limits: UserPermissionLimits | None = None
    tags: tuple[str, ...] = ()
    expires: int = 0
    not_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDraft:
    """What a role says, all of it: its name (nsc's `--sk NAME`), a description, and what its users may do."""

    role: str = ""
    description: str = ""
    template: UserPermissionLimits = field(default_factory=UserPermissionLimits.unlimited)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyDraft:
    """A new signing key of an account: made here, or a `public_key` whose seed stays elsewhere. `role` None: a plain
    one.
    """

    public_key: str = ""
    role: RoleDraft | None = None
