"""Who acts: a person on a page, a command on the server, the worker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a grant gives on its scope."""

    ADMINISTRATOR = "administrator"
    VIEWER = "viewer"


class ScopeKind(StrEnum):
    """How wide a grant reaches."""

    INSTALLATION = "installation"
    OPERATOR = "operator"
    ACCOUNT = "account"


class Way(StrEnum):
    """By which door somebody came in."""

    PAGE = "page"
    TOKEN = "token"  # noqa: S105 - a way in, not a secret
    COMMAND = "command"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where an action happens: database ids, None above. `Scope()` is the whole installation."""

    operator: int | None = None
    account: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """One grant of a principal."""

    role: Role
    kind: ScopeKind = ScopeKind.INSTALLATION
    operator: int | None = None
    account: int | None = None

    @property
    def scope(self) -> Scope:
        """Where the grant reaches."""
        return Scope(operator=self.operator, account=self.account)

    def covers(self, scope: Scope) -> bool:
        """True when the grant's scope contains `scope`."""
        if self.kind is ScopeKind.INSTALLATION:
            return True
        if self.kind is ScopeKind.OPERATOR:
            return scope.operator is not None and scope.operator == self.operator
        return scope.account is not None and scope.account == self.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who, by which way, from which address, holding what. `key` is stable text for the audit, `name` for people."""

    key: str
    name: str
    way: Way
    address: str = ""
    roles: tuple[HeldRole, ...] = ()
    person_id: int | None = None

    @classmethod
    def command(cls, name: str) -> Principal:
        """Somebody with a shell on the server: may do everything, and is named so in the audit."""
        return cls(
            key=f"command:{name}",
            name=f"manage.py {name}",
            way=Way.COMMAND,
            roles=(HeldRole(role=Role.ADMINISTRATOR),),
        )

    @classmethod
    def worker(cls) -> Principal:
        """The background worker, acting for a job that a person was allowed to start."""
        return cls(key="worker", name="worker", way=Way.WORKER, roles=(HeldRole(role=Role.ADMINISTRATOR),))

    @classmethod
    def nobody(cls, address: str = "") -> Principal:
        """A request without a session."""
        return cls(key="nobody", name="a visitor", way=Way.PAGE, address=address)
