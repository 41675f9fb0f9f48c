"""Two users or roles by their names or keys, and what each may that the other may not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from identities.claims import codec, templates, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.comparing import Comparison, Party, compare
from identities.claims.effective import effective_permissions
from identities.claims.errors import ClaimsError
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
    user = side.user
    claims: Claims[UserBody] | None = codec.from_payload(user.claims) if user is not None else None
    limits, role, note = UserPermissionLimits(), side.role, ""
    if user is not None and claims is not None:
        limits = claims.nats.limits
        issuer = trust.signing_key(_body(side.account), user.issuer)
        role = issuer if issuer is not None and issuer.is_scoped else None
        if not trust.did_sign(codec.from_payload(side.account.claims), claims):
            note = SHUT_OUT.format(user.name)
    template = role.template if role is not None else None
    if template is not None:
        whom = user or (other.user if other.account.pk == side.account.pk else None)
        if whom is not None:
            template, note = _filled(template, codec.from_payload(whom.claims), side.account)
        elif any(map(templates.has_template, _subjects(template))):
            note = AS_WRITTEN
    return Party(
        name=side.name,
        effective=effective_permissions(limits, _body(side.account).default_permissions, template),
        limits=template or limits,
        expires=claims.exp if claims is not None else 0,
        not_before=claims.nbf if claims is not None else 0,
    ), note


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
