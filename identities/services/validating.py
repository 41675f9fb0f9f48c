"""What `nsc validate --all-accounts` checks, and what it does not: imports without export, rings, servers' own rules.

Accounts are judged one by one, their users in a stream; users about whom the same is to be said stand together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from identities.claims import import_cycles, sharing, stricter, trust, validate
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.local_subjects import remote_subject
from identities.claims.operator import OperatorBody
from identities.claims.report import Grade, Issue
from identities.claims.scopes import SigningKey
from identities.claims.sharing import Exporter
from identities.models import Account, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import sharing as neighbours
from identities.services import changes, validating_users
from identities.services.validating_users import Finding

LARGEST_JWT = 1024 * 1024
NSC_ISSUER = "Account is not issued by operator or operator signing keys"
NSC_ITSELF = "operator is not issued by operator or operator signing key"
_PASTES = "account-"
"""Begins what a role's template takes from its account: `{{account-name()}}`, `{{account-tag(x)}}`."""
NSC_JETSTREAM = "JetStream should not be enabled for system account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One object and what was found: `kind` is operator or account; an account's findings are its users' too."""

    kind: str
    id: int
    name: str
    key: str
    findings: tuple[Finding, ...]

    @property
    def fatal(self) -> bool:
        """Whether nsc would end with an error: warnings alone do not count."""
        return any(found.grade is not Grade.WARNING for found in self.findings)


def check(*, principal: Principal, operator: Operator, now: int) -> Iterator[Checked]:
    """The operator, then its accounts by name, each with what is to be said of it at `now` (unix seconds)."""
    decisions.require(principal, Action.VIEW, _scope(principal, operator))
    claims: Claims[OperatorBody] = changes.claims_of(operator)
    rows = list(
        Account.objects.visible_to(principal).live().filter(operator=operator).order_by("name_fold", "pk")
    )
    held: dict[int, Claims[AccountBody]] = {row.pk: changes.claims_of(row) for row in rows}
    yield Checked(
        kind="operator",
        id=operator.pk,
        name=operator.name,
        key=operator.public_key,
        findings=tuple(_operator_findings(operator, claims, {row.public_key for row in rows}, now)),
    )
    around = _Around(principal, operator, rows, held)
    users = validating_users.findings(principal, operator, claims, held, now=now)
    for row in rows:
        own = _account_findings(row, held[row.pk], claims, around, now)
        yield Checked(
            kind="account",
            id=row.pk,
            name=row.name,
            key=row.public_key,
            findings=(*_once(own), *users.get(row.pk, ())),
        )


def _scope(principal: Principal, operator: Operator) -> Scope:
    """Whoever sees an account alone validates that account: their widest scope below this operator."""
    for held in principal.roles:
        if held.operator == operator.pk and held.account is not None:
            return Scope(operator=operator.pk, account=held.account)
    return Scope(operator=operator.pk)


def _operator_findings(
    operator: Operator, claims: Claims[OperatorBody], below: Collection[str], now: int
) -> Iterator[Finding]:
    yield from _nsc(validate.validate(claims, now=now))
    if not trust.did_sign(claims, claims):
        yield Finding(grade=Grade.ERROR, path="iss", message=NSC_ITSELF, nsc=True)
    yield from _more(stricter.stricter_issues(claims, claims))
    system = claims.nats.system_account
    if system in ("", *below):
        return
    if not Account.objects.live().filter(operator=operator, public_key=system).exists():
        message = f"the system account {system} is not kept here, so no configuration can carry it"
        yield Finding(grade=Grade.WARNING, path="nats.system_account", message=message)


def _account_findings(
    row: Account,
    claims: Claims[AccountBody],
    operator: Claims[OperatorBody],
    around: _Around,
    now: int,
) -> Iterator[Finding]:
    body = claims.nats
    yield from _nsc(validate.validate(claims, now=now))
    if operator.nats.system_account == claims.sub and body.limits.jetstream_enabled:
        yield Finding(grade=Grade.ERROR, path="nats.limits.mem_storage", message=NSC_JETSTREAM, nsc=True)
    if not trust.did_sign(operator, claims):
        yield Finding(grade=Grade.ERROR, path="iss", message=NSC_ISSUER, nsc=True)
    plain = _as_pasted(claims)
    yield from _more(stricter.stricter_issues(plain, plain))
    yield from around.findings(row, body, now)
    yield from _callout(row, body)
    size = len(row.claims.encode())
    if size * 4 // 3 > LARGEST_JWT:
        message = f"the JWT is larger than 1 MiB ({size:,} bytes of claims): NATS refuses it"
        yield Finding(grade=Grade.ERROR, path="", message=message)


def _as_pasted(claims: Claims[AccountBody]) -> Claims[AccountBody]:
    """Without name and tags where no role pastes them into subjects: then they may be what they like."""
    body = claims.nats
    if any(_PASTES in subject for key in body.signing_keys for subject in _subjects(key)):
        return claims
    return replace(claims, name="x", nats=replace(body, tags=()))


def _subjects(key: SigningKey) -> Iterator[str]:
    if key.template is not None:
        for rules in (key.template.pub, key.template.sub):
            yield from (*rules.allow, *rules.deny)


def _callout(row: Account, body: AccountBody) -> Iterator[Finding]:
    """Auth users that are nobody here, accounts that are not: nats-server takes the names as they are."""
    callout = body.authorization
    if callout.auth_users:
        here = set(
            User.objects.live()
            .filter(account=row, public_key__in=callout.auth_users)
            .values_list("public_key", flat=True)
        )
        for index, key in enumerate(callout.auth_users):
            if key not in here:
                message = f"auth user {key} is no user of this account, so nobody answers as it"
                path = f"nats.authorization.auth_users[{index}]"
                yield Finding(grade=Grade.WARNING, path=path, message=message)
    named = [key for key in callout.allowed_accounts if key != "*"]
    if named:
        known = Account.objects.live().filter(public_key__in=named).values_list("public_key", flat=True)
        for key in sorted(set(named).difference(known)):
            message = f"{key} is not kept here: whether there is such an account is not checked"
            path = "nats.authorization.allowed_accounts"
            yield Finding(grade=Grade.WARNING, path=path, message=message)


class _Around:
    """The accounts that are judged, and others of this installation to which their imports lead, as exporters."""

    def __init__(
        self,
        principal: Principal,
        operator: Operator,
        rows: Iterable[Account],
        held: Mapping[int, Claims[AccountBody]],
    ) -> None:
        self._exporters = {
            row.public_key: Exporter(
                key=row.public_key, name=row.name, claims=held[row.pk], strict=operator.strict
            )
            for row in rows
        }
        asked, wanted = set(self._exporters), self._further(self._exporters.values())
        while wanted := wanted - asked:
            asked |= wanted
            fresh = neighbours.known(principal, wanted, operator=operator)
            self._exporters |= {key: known.exporter for key, known in fresh.items()}
            wanted = self._further(known.exporter for known in fresh.values())
        self._bodies = {key: one.claims.nats for key, one in self._exporters.items() if not one.deleted}

    def findings(self, row: Account, body: AccountBody, now: int) -> Iterator[Finding]:
        """What stands between each import of an account and its messages: export, token, rings."""
        for index, imported in enumerate(body.imports):
            if imported is None or imported.account in ("", row.public_key):
                continue
            path = f"nats.imports[{index}]"
            exporter = self._exporters.get(imported.account)
            if exporter is None:
                what = remote_subject(imported)
                message = f"{imported.account} is not known here: whether it exports {what} is not checked"
                yield Finding(grade=Grade.WARNING, path=f"{path}.account", message=message)
            for issue in sharing.import_issues(imported, row.public_key, exporter, now=now):
                yield Finding(grade=issue.grade, path=f"{path}.{issue.path}", message=issue.message)
            if ring := import_cycles.cycle(row.public_key, imported, self._bodies):
                way = " → ".join(f"“{self._exporters[key].name}”" for key in ring)
                message = f"this import leads back to where it came from: {way}. Servers leave one of these imports out"
                yield Finding(grade=Grade.ERROR, path=f"{path}.subject", message=message)

    @staticmethod
    def _further(exporters: Iterable[Exporter]) -> set[str]:
        bodies = (one.claims.nats for one in exporters)
        return {
            imported.account
            for body in bodies
            for imported in body.imports
            if imported is not None and imported.account
        }


def _nsc(issues: Iterable[Issue]) -> Iterator[Finding]:
    for issue in issues:
        yield Finding(grade=issue.grade, path=issue.path, message=issue.message, nsc=True)


def _more(issues: Iterable[Issue]) -> Iterator[Finding]:
    for issue in issues:
        yield Finding(grade=issue.grade, path=issue.path, message=issue.message)


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Without what Go says twice (spec §9.1)."""
    seen: dict[tuple[str, str], set[Grade]] = defaultdict(set)
    for found in findings:
        grades = seen[found.path, found.message]
        if found.grade not in grades:
            grades.add(found.grade)
            yield replace(found)
