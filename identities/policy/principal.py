"""Who acts: a person on a page, a command on the server, the worker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a grant gives on its scope; `powers` says what that is.

    An administrator of the whole installation is its owner.
    """

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    USER_MANAGER = "user-manager"
    VIEWER = "viewer"
    ISSUER = "issuer"


class ScopeKind(StrEnum):
    """How wide a grant reaches. A role is a signing key of an account whose users all have the same rights."""

    INSTALLATION = "installation"
    OPERATOR = "operator"
    ACCOUNT = "account"
    ROLE = "role"


class Way(StrEnum):
    """By which door somebody came in."""

    PAGE = "page"
    TOKEN = "token"  # noqa: S105 - a way in, not a secret
    COMMAND = "command"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where an action happens: database ids, None above. `Scope()` is the whole installation.

    `signing_key` is the id of the key row of a role.
    """

    operator: int | None = None
    account: int | None = None
    signing_key: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """One grant of a principal.

    `names` (a pattern with `*`) and `tags` bound what an issuer may call the users it makes: templates of roles put
    both into subjects. `team` names the team that holds it, "" when the principal does.
    """

    role: Role
    kind: ScopeKind = ScopeKind.INSTALLATION
    operator: int | None = None
    account: int | None = None
    signing_key: int | None = None
    names: str = "*"
    tags: tuple[str, ...] = ()
    team: str = ""

    @property
    def scope(self) -> Scope:
        """Where the grant reaches."""
        return Scope(operator=self.operator, account=self.account, signing_key=self.signing_key)

    def covers(self, scope: Scope) -> bool:
        """True when the grant's scope contains `scope`."""
        if self.kind is ScopeKind.INSTALLATION:
            return True
        if self.kind is ScopeKind.OPERATOR:
            return scope.operator is not None and scope.operator == self.operator
        if self.kind is ScopeKind.ROLE:
            return scope.signing_key is not None and scope.signing_key == self.signing_key
        return scope.account is not None and scope.account == self.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """How an API token narrows its holder: `held` are the holder's roles without it, `operator` the id of the only one
    that it opens.
    """

    held: tuple[HeldRole, ...]
    read_only: bool = False
    operator: int | None = None
    operator_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who, by which way, from which address, holding what. `key` is stable text for the audit, `name` for people.

    A machine has a `service_account_id` in the place of a `person_id`; `token_id` is the API token that it came with,
    `token_maker_id` the person who made that token, None where nobody knows, `narrowing` what it leaves out.
    """

    key: str
    name: str
    way: Way
    address: str = ""
    roles: tuple[HeldRole, ...] = ()
    person_id: int | None = None
    service_account_id: int | None = None
    token_id: int | None = None
    token_maker_id: int | None = None
    team_ids: tuple[int, ...] = ()
    narrowing: Narrowing | None = None

    @property
    def behind(self) -> int | None:
        """The person whose will this is: who acts, or who made the token that a machine came with."""
        return self.person_id if self.person_id is not None else self.token_maker_id

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
