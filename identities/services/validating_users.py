"""The users of all accounts of an operator, judged in one stream: 40,000 of them share a few hundred verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from identities.claims import names, stricter, templates, trust, validate
from identities.claims.account import AccountBody
from identities.claims.codec import from_payload
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.operator import OperatorBody
from identities.claims.permissions import UserPermissionLimits
from identities.claims.report import Grade
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.models import Operator, User
from identities.policy.principal import Principal

CHUNK = 2000
NAMED = 20
"""How many of those of whom the same is said are named."""
NSC_ISSUER = "is not issued by account or account signing keys"
NSC_STRICT = "is issued by account key but operator is in strict mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to say at a JSON path; of users, how many (`count`), and names and keys of the first.

    `nsc`: `nsc validate` says it too, in these words.
    """

    grade: Grade
    path: str
    message: str
    nsc: bool = False
    count: int = 0
    users: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Said:
    """What is said of a growing number of users."""

    finding: Finding
    count: int = 0
    users: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, key: str) -> None:
        self.count += 1
        if len(self.users) < NAMED:
            self.users.append((name, key))

    def closed(self) -> Finding:
        return replace(self.finding, count=self.count, users=tuple(sorted(self.users)))


def findings(
    principal: Principal,
    operator: Operator,
    claims: Claims[OperatorBody],
    accounts: Mapping[int, Claims[AccountBody]],
    *,
    now: int,
) -> dict[int, tuple[Finding, ...]]:
    """What is to be said of the live users of `accounts` (by id), by account."""
    rows = User.objects.visible_to(principal).live().filter(operator=operator)
    said: dict[int, dict[Finding, _Said]] = {}
    judges: dict[int, _Judge] = {}
    stream = rows.order_by("account_id", "pk").values_list("account_id", "name", "public_key", "claims")
    for account, name, key, text in stream.iterator(chunk_size=CHUNK):
        if account not in accounts:
            continue
        judge = judges.get(account)
        if judge is None:
            judges.clear()  # accounts come one after the other
            judge = judges[account] = _Judge(accounts[account], claims, now)
        for found in judge.of(text):
            said.setdefault(account, {}).setdefault(found, _Said(found)).add(name, key)
    return {account: tuple(one.closed() for one in found.values()) for account, found in said.items()}


class _Judge:
    """Judges the users of one account. What does not depend on key, name and times of issue is judged once."""

    def __init__(self, account: Claims[AccountBody], operator: Claims[OperatorBody], now: int) -> None:
        self._account = account
        self._strict = operator.nats.strict_signing_key_usage
        self._now = now
        self._alike: dict[str, tuple[Finding, ...]] = {}
        self._roles = {key.key: key for key in account.nats.signing_keys if key.is_scoped}
        self._templated = {key for key, role in self._roles.items() if _is_templated(role)}

    def of(self, text: str) -> Iterator[Finding]:
        """What is to be said of the user with these claims."""
        document = json.loads(text)
        key, name, iat = (document.pop(part, "") for part in ("sub", "name", "iat"))
        document.pop("jti", None)
        alike = json.dumps(document)
        found = self._alike.get(alike)
        if found is None:
            found = self._alike[alike] = tuple(self._judged(text))
        yield from found
        revoked_at = max(self._account.nats.revocations.get(one, 0) for one in (key, "*"))
        if revoked_at and (not isinstance(iat, int) or iat <= revoked_at):
            yield _REVOKED
        if document.get("iss") in self._templated:
            yield from self._expanded(from_payload(text), str(name))

    def _judged(self, text: str) -> Iterator[Finding]:
        claims: Claims[UserBody] = from_payload(text)
        account = self._account
        for issue in validate.validate(claims, now=self._now):
            yield Finding(grade=issue.grade, path=issue.path, message=issue.message, nsc=True)
        if not trust.did_sign(account, claims):
            yield Finding(grade=Grade.ERROR, path="iss", message=NSC_ISSUER, nsc=True)
        elif self._strict and claims.iss == account.sub:
            yield Finding(grade=Grade.ERROR, path="iss", message=NSC_STRICT, nsc=True)
        # Names and tags matter where a role pastes them into subjects, which is looked at for each user.
        plain = replace(claims, name="x", nats=replace(claims.nats, tags=()))
        for issue in stricter.stricter_issues(plain, plain):
            yield Finding(grade=issue.grade, path=issue.path, message=issue.message)
        role = self._roles.get(claims.iss)
        bearer = claims.nats.limits.bearer_token
        if role is not None:
            for message in trust.scoped_signer_issues(role, claims):
                yield Finding(grade=Grade.ERROR, path="nats", message=message)
            bearer = bearer or (role.template is not None and role.template.bearer_token)
        if bearer and account.nats.limits.disallow_bearer:
            yield _BEARER

    def _expanded(self, claims: Claims[UserBody], name: str) -> Iterator[Finding]:
        """What its role's template becomes for this user."""
        role, account = self._roles[claims.iss], self._account
        template = role.template or UserPermissionLimits()
        try:
            rights = templates.expand_template(
                template, name, claims.sub, account.name, account.sub, claims.nats.tags, account.nats.tags
            )
        except ClaimsError:
            yield replace(_REFUSED, message=_REFUSED.message.format(role.role))
            return
        for side, before, after in (("pub", template.pub, rights.pub), ("sub", template.sub, rights.sub)):
            if before.allow and not after.allow:
                path = f"nats.{side}.allow"
                yield replace(_NOTHING, path=path, message=_NOTHING.message.format(role.role))
        pasted = [
            *names.name_warnings(name),
            *(one for tag in claims.nats.tags for one in names.tag_warnings(tag)),
        ]
        if pasted:
            yield replace(_PASTED, message=_PASTED.message.format(role.role))


_REVOKED = Finding(grade=Grade.WARNING, path="iat", message="its JWT is revoked: servers refuse it")
_BEARER = Finding(
    grade=Grade.ERROR,
    path="nats.bearer_token",
    message="it is a bearer user, which its account forbids: servers refuse it",
)
_REFUSED = Finding(
    grade=Grade.ERROR,
    path="nats.tags",
    message="the template of role “{}” can't be filled in for it: servers refuse the login",
)
_NOTHING = Finding(
    grade=Grade.WARNING,
    path="nats",
    message="nothing that the template of role “{}” allows can be filled in for it: servers allow it nothing there",
)
_PASTED = Finding(
    grade=Grade.WARNING,
    path="name",
    message="its name or a tag holds `.`, `*`, `>` or a blank, which the template of role “{}” pastes into subjects",
)


def _is_templated(role: SigningKey) -> bool:
    template = role.template
    if template is None:
        return False
    lists = (template.pub.allow, template.pub.deny, template.sub.allow, template.sub.deny)
    return any(templates.has_template(subject) for entries in lists for subject in entries)
