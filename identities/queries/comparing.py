"""Two users or roles by their names or keys, and what each may that the other may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from identities.claims import codec, explain_rules, templates, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.comparing import Comparison, Party, compare
from identities.claims.effective import EVERYWHERE, Effective, effective_permissions
from identities.claims.errors import ClaimsError
from identities.claims.explain_types import Entry, Rules, Situation, Whose
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.models import Account, Key, Purpose, User
from identities.nkeys import KeyKind, is_public
from identities.policy.principal import Principal
from identities.queries import reach, situations
from identities.queries.situations import MOST_NAMESAKES

ELSEWHERE = "They are in different accounts: a subject is another place in each, unless exports and imports join them."
AS_WRITTEN = (
    "Variables of a role such as `{{name()}}` stand for themselves here: what they become is another subject for each "
    "of its users. Compare the role with a user of its account to see it filled in."
)
SHUT_OUT = "No role and no key of the account stands behind “{}” (any more): servers refuse it, whatever is said here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two: a user, or a role (`role`: its entry in the account's claims)."""

    account: Account
    user: User | None = None
    role: SigningKey | None = None

    @property
    def key(self) -> str:
        """The public key of the user or role."""
        if self.user is not None:
            return self.user.public_key
        return self.role.key if self.role is not None else ""

    @property
    def name(self) -> str:
        """What it is called."""
        if self.user is not None:
            return self.user.name
        return (self.role.role or self.role.key) if self.role is not None else ""

    @property
    def label(self) -> str:
        """What it is called, and where it stands."""
        what = "" if self.user is not None else "the role "
        return f"{what}{self.name} of {self.account.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The comparison, and what else has to be said about it."""

    first: Side
    second: Side
    comparison: Comparison
    notes: tuple[str, ...]


def sides(principal: Principal, text: str) -> list[Side]:
    """The users and roles that the principal sees by this public key or exact name, at most twenty and one."""
    found = [Side(account=user.account, user=user) for user in situations.users(principal, text)]
    rows = Key.objects.filter(reach.below_operator(principal), purpose=Purpose.ROLE, deleted_at=None)
    wanted = (
        rows.filter(public_key=text)
        if is_public(text, KeyKind.ACCOUNT)
        else rows.filter(role=text, user=None)
    )
    live = wanted.filter(account__deleted_at=None, operator__deleted_at=None)
    for key in live.select_related("account__operator").order_by("account__name", "pk")[: MOST_NAMESAKES + 1]:
        account = key.account
        entry = trust.signing_key(_body(account), key.public_key) if account is not None else None
        if account is not None and entry is not None and entry.is_scoped:
            found.append(Side(account=account, role=entry))
    return found[: MOST_NAMESAKES + 1]


def of(first: Side, second: Side) -> Compared:
    """Compare two; a role beside a user of its own account is filled in for that user."""
    notes = [] if first.account.pk == second.account.pk else [ELSEWHERE]
    namesakes = first.name == second.name
    parties = []
    for side, other in ((first, second), (second, first)):
        party, note = _party(side, other)
        parties.append(replace(party, name=side.label) if namesakes else party)
        notes += [note] if note and note not in notes else []
    return Compared(
        first=first, second=second, comparison=compare(parties[0], parties[1]), notes=tuple(notes)
    )


def _party(side: Side, other: Side) -> tuple[Party, str]:
    """One of the two, and what has to be said about it, "" for nothing."""
    if side.user is not None:
        return _of_user(side.user, side.account)
    template, note = (side.role.template if side.role is not None else None) or UserPermissionLimits(), ""
    if other.user is not None and other.account.pk == side.account.pk:
        template, note = _filled(template, codec.from_payload(other.user.claims), side.account)
    elif any(map(templates.has_template, _subjects(template))):
        note = AS_WRITTEN
    defaults = _body(side.account).default_permissions
    rules = effective_permissions(template, defaults, template)
    return Party(name=side.name, effective=rules, limits=template), note


def _of_user(user: User, account: Account) -> tuple[Party, str]:
    """A user by the lists that the permission tester asks too: its own, its role's filled in, or the defaults."""
    claims: Claims[UserBody] = codec.from_payload(user.claims)
    situation = Situation(user=claims, account=codec.from_payload(account.claims))
    limits, note = claims.nats.limits, ""
    role = explain_rules.role(situation)
    if not trust.did_sign(situation.account, claims):
        note = SHUT_OUT.format(user.name)
    if role is not None and role.template is not None:
        limits, note = _filled(role.template, claims, account)
    try:
        rules = _effective(explain_rules.rules_of(situation))
    except ClaimsError:  # `note` says why
        rules = effective_permissions(limits, situation.account.nats.default_permissions, limits)
    times = {"expires": claims.exp, "not_before": claims.nbf}
    return Party(name=user.name, effective=rules, limits=limits, **times), note


def _effective(rules: Rules) -> Effective:
    return Effective(
        pub_allow=EVERYWHERE if rules.pub_allow is None else _texts(rules.pub_allow),
        pub_deny=_texts(rules.pub_deny),
        sub_allow=EVERYWHERE if rules.sub_allow is None else _texts(rules.sub_allow),
        sub_deny=_texts(rules.sub_deny),
        resp=rules.resp,
        origin=_ORIGINS[rules.whose],
    )


def _texts(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(f"{entry.subject} {entry.queue}".strip() for entry in entries)


_ORIGINS = {Whose.USER: "user", Whose.ROLE: "role", Whose.ACCOUNT: "account", Whose.SERVER: "none"}


def _filled(
    template: UserPermissionLimits, claims: Claims[UserBody], account: Account
) -> tuple[UserPermissionLimits, str]:
    """The template as nats-server fills it in for the user, or why it does not let it in."""
    known: Claims[AccountBody] = codec.from_payload(account.claims)
    try:
        return templates.expand_template(
            template, claims.name, claims.sub, known.name, known.sub, claims.nats.tags, known.nats.tags
        ), ""
    except ClaimsError as refused:
        return template, f"nats-server can't fill the role in for “{claims.name}”: {refused.user_message}"


def _subjects(template: UserPermissionLimits) -> tuple[str, ...]:
    return (*template.pub.allow, *template.pub.deny, *template.sub.allow, *template.sub.deny)


def _body(account: Account) -> AccountBody:
    body: AccountBody = codec.from_payload(account.claims).nats
    return body
