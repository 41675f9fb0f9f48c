"""What applying a manifest does, object by object, and what every part of that work shares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from identities.claims.diff import FieldChange
from identities.errors import IdentityError
from identities.models import Account, Operator
from identities.policy import decisions
from identities.policy.principal import Principal
from identities.services import changes, secrets


class Fate(StrEnum):
    """What becomes of an object. SURPLUS: the manifest does not name it, and it stays."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    KEEP = "keep"
    SURPLUS = "surplus"


class ManifestRefused(IdentityError):
    """A part of a manifest can't be applied; the message names the object, and the line if it is written."""

    code = "manifest-refused"

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(f"Line {line}: {message}" if line else message, field="manifest")
        self.line = line


class ManifestForbidden(decisions.Forbidden):
    """What a part of the manifest asks for is not granted; the message says which part."""


class ManifestStale(IdentityError):
    """Something that the plan looked at was changed since."""

    code = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One object: `kind` is operator, account or user; `account` names a user's.

    `diff` are the claims field by field, `notes` what the change does beyond them and what somebody should have meant.
    """

    kind: str
    name: str
    fate: Fate
    account: str = ""
    diff: tuple[FieldChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is, in words."""
        return f"{self.kind} “{self.name}”" + (f" of “{self.account}”" if self.account else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a manifest does. `token` stands for the state that was looked at, and the manifest itself;
    `applied`: it is done.
    """

    operator: str
    objects: tuple[Planned, ...]
    token: str
    prune: bool = False
    applied: bool = False

    @property
    def is_empty(self) -> bool:
        """True when nothing would be written or signed."""
        return not self.edits

    @property
    def edits(self) -> tuple[Planned, ...]:
        """The objects that would change."""
        return tuple(one for one in self.objects if one.fate in (Fate.CREATE, Fate.CHANGE, Fate.DELETE))

    @property
    def surplus(self) -> tuple[Planned, ...]:
        """What the manifest does not name, and what stays."""
        return tuple(one for one in self.objects if one.fate is Fate.SURPLUS)

    def count(self, fate: Fate) -> int:
        """How many objects meet this fate."""
        return sum(one.fate is fate for one in self.objects)


@dataclass(slots=True, kw_only=True)
class Run:
    """One application (or rehearsal) of a manifest: who, where, and what came of it so far.

    `system_account` is the one that there is before. `accounts` maps the folded name of an account to its public key;
    `fresh` are texts that come into being in this very run (keys, tokens), with what to call them in a plan; `notes`
    are the operator's own.
    """

    principal: Principal
    operator: Operator
    prune: bool
    system_account: str
    accounts: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def made(self, text: str, called: str) -> None:
        """Note something that exists only once the manifest is applied."""
        self.fresh[text] = called

    def told(self, diff: Iterable[FieldChange]) -> tuple[FieldChange, ...]:
        """A diff in which new keys and tokens are called so: in a rehearsal they never come to be."""
        return tuple(
            replace(one, path=self._called(one.path), before=one.before, after=self._called(one.after))
            for one in diff
        )

    def _called(self, text: str) -> str:
        for fresh, called in self.fresh.items():
            if fresh in text:
                text = text.replace(fresh, called)
        return text


def token_words(token: str) -> str:
    """How a diff shows a token."""
    return f"a token, SHA-256 {hashlib.sha256(token.encode()).hexdigest()[:12]}"


@contextmanager
def about(what: str, line: int = 0) -> Iterator[None]:
    """Say which object a refusal is about, and on which line of the manifest it stands."""
    try:
        yield
    except (
        ManifestRefused,
        ManifestForbidden,
        ManifestStale,
        changes.StaleWrite,
        secrets.SealedInstallation,
    ):
        raise
    except decisions.Forbidden as refused:
        raise ManifestForbidden(
            f"{what}: {refused.user_message}", action=refused.action, scope=refused.scope
        ) from refused
    except IdentityError as refused:
        raise ManifestRefused(f"{what}: {refused.user_message}", line=line) from refused


def called(account: Account | str) -> str:
    """How messages name an account."""
    return f"Account “{account if isinstance(account, str) else account.name}”"
