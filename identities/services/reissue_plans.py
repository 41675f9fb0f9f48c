"""What a reissue would do, said before it is done: what is signed anew, what does not move, what stands against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import StrIndex

from identities.claims import moving, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, Mode, Operator, Permission, SubjectPattern, User
from identities.models.accounts import AccountQuerySet
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import reach
from identities.services import account_keys, accounts, changes, signing, spares
from identities.services.reissuing import Plan
from identities.services.renewing import Renewing

NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """The users of an account: by issuer, whether that is a role, and how many; `strangers` by none of its keys."""

    groups: tuple[tuple[str, bool, int], ...]
    strangers: int
    seedless: int
    bearers: int
    revoked: int

    @property
    def number(self) -> int:
        """How many are signed anew."""
        return sum(number for _, _, number in self.groups)

    @classmethod
    def of(cls, account: Account, claims: Claims[AccountBody]) -> Below:
        """One query that counts, and one over users where some may be revoked."""
        mine = {account.public_key, *(key.key for key in claims.nats.signing_keys)}
        rows = User.objects.live().filter(account=account)
        counted = rows.values("issuer", "pub_mode").order_by("issuer", "pub_mode")
        found = list(
            counted.annotate(
                number=Count("pk"),
                seedless=Count("pk", filter=Q(has_seed=False, bearer=False)),
                bearers=Count("pk", filter=Q(bearer=True)),
            )
        )
        known = [one for one in found if one["issuer"] in mine]
        return cls(
            groups=tuple((one["issuer"], one["pub_mode"] == Mode.ROLE, one["number"]) for one in known),
            strangers=sum(one["number"] for one in found if one["issuer"] not in mine),
            seedless=sum(one["seedless"] for one in known),
            bearers=sum(one["bearers"] for one in known),
            revoked=sum(1 for _ in revoked(rows, claims)),
        )


def of_account(*, principal: Principal, account: Account, public_key: str = "") -> Plan:
    """What giving the account a new key (or `public_key`) would do; nothing is signed.

    Raises:
        IdentityError: `public_key` is no account key, or is taken.
    """
    own_seed = _own_seed(account, public_key)
    before = changes.claims_of(account)
    renewing = Renewing(principal=principal, old=account.public_key, own_seed=own_seed)
    moving.itself(before, account.public_key, renewing.for_itself(account))
    near, far = naming(principal, account)
    for other in near:
        renew = renewing.by_itself(account, before, other)
        moving.elsewhere(changes.claims_of(other), account.public_key, public_key, renew)
    below = Below.of(account, before)
    seen = Account.objects.visible_to(principal).live()
    far = list(seen.filter(pk__in=[row.pk for row in far]).order_by("pk"))  # no other is named
    return Plan(
        moves=tuple(_moves(account, near, renewing, below)),
        stays=tuple(_stays(principal, account, before, far, renewing, below)),
        refusals=tuple(_refusals(account, before, near, below, own_seed=own_seed)),
        followers=below.number,
    )


def of_operator(*, operator: Operator, convert: bool) -> Plan:
    """What giving the operator a new key would do; with `convert` the present one stays as a signing key."""
    claims = changes.claims_of(operator)
    live = Account.objects.live().filter(operator=operator)
    by_identity = live.filter(issuer=operator.public_key).count()
    follow = 0 if convert else by_identity
    refusals = []
    if follow and claims.nats.strict_signing_key_usage:
        try:
            signing.account_signer(operator, claims)
        except signing.NoSigner as missing:
            refusals.append(missing.user_message)
    return Plan(
        moves=tuple(_operator_moves(claims, follow, convert=convert)),
        stays=tuple(_operator_stays(live.count() - follow)),
        refusals=tuple(refusals),
        followers=follow,
    )


def naming(principal: Principal, account: Account, old: str = "") -> tuple[list[Account], list[Account]]:
    """Other accounts here whose claims name this one: those that `principal` may edit, by their ids, and the others.

    `old`: the key by which they name it; given, they are locked until the transaction ends.
    """
    wanted = old or account.public_key
    rows = Account.objects.live().filter(operator__deleted_at=None).exclude(pk=account.pk)
    holding = rows.alias(place=StrIndex(F("claims"), Value(wanted))).filter(place__gt=0).order_by("pk")
    if old:
        holding = holding.select_for_update(no_key=True, of=("self",))
    found = [
        row for row in holding.select_related("operator") if moving.names(changes.claims_of(row).nats, wanted)
    ]
    near = [row for row in found if _may_edit(principal, row)]
    return near, [row for row in found if row not in near]


def revoked(rows: QuerySet[User], claims: Claims[AccountBody]) -> Iterator[tuple[str, int, int | None]]:
    """Public key, latest `iat` ever and current `iat` of each user among `rows` whose current JWT is revoked."""
    revocations = claims.nats.revocations
    if not revocations:
        return
    everybody = revocations.get("*", 0)
    for key, last_iat, iat in rows.values_list("public_key", "last_iat", "token__iat").iterator():
        if iat is not None and iat <= max(revocations.get(key, 0), everybody):
            yield key, last_iat, iat


def _own_seed(account: Account, public_key: str) -> bool:
    """Whether the seed of the new key will be here."""
    if not public_key:
        return True
    if public_key == account.public_key:
        raise IdentityError("That is the key that it has. Give another one, or none.", field="public_key")
    spare = spares.one(account.operator_id, KeyKind.ACCOUNT, public_key)
    if spare is None:
        account_keys.identity(account.operator, public_key)  # not saved: refuses what can't be taken
    return spare is not None and spare.sealed is not None


def _may_edit(principal: Principal, account: Account) -> bool:
    decision = decisions.decide(principal, Action.ACCOUNT_EDIT, accounts.scope(account))
    return isinstance(decision, decisions.Allowed)


def _operator_moves(claims: Claims[OperatorBody], follow: int, *, convert: bool) -> Iterator[str]:
    yield "The operator gets a new key, and signs its own JWT with it."
    if convert:
        yield "Its present key stays, as a signing key: what it signed goes on being trusted."
    if follow:
        by = "a signing key" if claims.nats.signing_keys else "the new key"
        yield f"Signed anew, by {by}: {_plural(follow, 'account')}, all that the present key signed."


def _operator_stays(rest: int) -> Iterator[str]:
    if rest:
        yield f"Left as they are: {_plural(rest, 'account')}, signed by a key that stays trusted."
    yield "Users and their creds stay as they are: they know their account only."
    yield (
        "Every server trusts the operator that its own configuration names. Give them all one that trusts both first "
        "and restart them one by one; then send them the accounts that were signed anew; then a configuration that "
        "trusts the new key alone. The page of the server configuration writes both."
    )
    yield "The address of the account server has the present key in it, and goes on answering."


def _moves(account: Account, near: Sequence[Account], renewing: Renewing, below: Below) -> Iterator[str]:
    yield "The account gets a new key, under its name, with its limits, signing keys, roles and revocations."
    if by := _other_signer(account):
        yield f"Its JWT is signed by {by}, as the seed of {account.issuer} is not here."
    if below.number:
        yield f"Signed anew, with the rights that they have: {_plural(below.number, 'user')}."
    if below.revoked:
        yield f"Revoked, and staying so: {_plural(below.revoked, 'user')}."
    if near:
        yield f"Naming the new key from then on: {_plural(len(near), 'account')} here, {_named(near)}."
    if renewing.renewed:
        yield f"Signed anew between accounts here: {_plural(renewing.renewed, 'activation token')}."
    if account.operator.system_account == account.public_key:
        yield (
            "It is the system account, so the operator's JWT changes too: every server needs a new configuration "
            "and a restart."
        )


def _other_signer(account: Account) -> str:
    """The key that will sign the account where it is not the one that did; "" when it is, or there is none."""
    try:
        key = accounts.signer(account).public_key
    except signing.NoSigner:
        return ""
    return "" if key == account.issuer else key


def _stays(
    principal: Principal,
    account: Account,
    claims: Claims[AccountBody],
    far: Sequence[Account],
    renewing: Renewing,
    below: Below,
) -> Iterator[str]:
    seen = Account.objects.visible_to(principal).live()
    if (number := below.number - below.bearers - below.seedless) > 0:
        yield f"Every creds file handed out: {_plural(number, 'user')}, for whom new ones can be downloaded here."
    if below.bearers:
        yield f"Bearer JWTs, wherever they are: {_plural(below.bearers, 'user')}, to whom the new ones are handed out."
    if below.seedless:
        yield (
            f"{_plural(below.seedless, 'user')} with a seed that is elsewhere: whoever has it needs the new JWT, to be "
            "downloaded here."
        )
    if claims.nats.limits.jetstream_enabled:
        yield (
            "JetStream: streams, consumers and what they hold belong to the old key on the servers. Back them up "
            "(`nats account backup`), and restore them as the new account."
        )
    if claims.nats.exports:
        kept = "that are not kept here" + ("" if reach.everything(principal) else ", or that you may not see")
        yield f"Importers {kept}: they go on naming the old key until they are told the new one."
    yield from _activations_elsewhere(seen, account, claims)
    for lost in renewing.lost:
        yield f"The activation token of import {lost}. The import stays, without a token."
    if far:
        number = len(far)
        yield f"{_plural(number, 'account')} that you may not edit, naming the old key: {_named(far)}."
    if below.strangers:
        yield f"{_plural(below.strangers, 'user')} that none of its keys signed: no server lets them in as it is."
    if number := _named_in_permissions(seen, account):
        yield f"{_plural(number, 'subject')} in permissions that hold the old key."
    yield (
        "Servers keep the old account, with the creds that were handed out, until it is deleted there (with the URL "
        "resolver until they restart): to them the new key is another account."
    )


def _named_in_permissions(seen: AccountQuerySet, account: Account) -> int:
    place = StrIndex(F("text"), Value(account.public_key))
    patterns = SubjectPattern.objects.alias(place=place).filter(place__gt=0)
    return Permission.objects.filter(
        operator=account.operator_id, account__in=seen, pattern__in=patterns
    ).count()


def _activations_elsewhere(
    seen: AccountQuerySet, account: Account, claims: Claims[AccountBody]
) -> Iterator[str]:
    issuers = [account.public_key, *(key.key for key in claims.nats.signing_keys)]
    issued = IssuedToken.objects.filter(operator=account.operator_id, kind="activation", issuer__in=issuers)
    if (
        count := issued.exclude(subject__in=seen.values("public_key"))
        .values("subject", "name")
        .distinct()
        .count()
    ):
        yield f"{_plural(count, 'activation token')} for accounts that are not kept here: they need new ones."


def _refusals(
    account: Account,
    claims: Claims[AccountBody],
    near: Iterable[Account],
    below: Below,
    *,
    own_seed: bool,
) -> Iterator[str]:
    for row in (account, *near):
        try:
            accounts.signer(row)
        except signing.NoSigner as missing:
            yield f"“{row.name}” can't be signed. {missing.user_message}"
    if account.operator.system_account == account.public_key:
        try:
            signing.operator_signer(account.operator)
        except signing.NoSigner as missing:
            yield f"“{account.operator.name}” can't be signed. {missing.user_message}"
    yield from _users_refused(account, claims, below, own_seed=own_seed)


def _users_refused(
    account: Account, claims: Claims[AccountBody], below: Below, *, own_seed: bool
) -> Iterator[str]:
    here = set(
        Key.objects.filter(account=account, user=None, deleted_at=None, sealed__isnull=False).values_list(
            "public_key", flat=True
        )
    )
    plain = [key.key for key in claims.nats.signing_keys if not key.is_scoped and key.key in here]
    others = 0
    for issuer, of_role, number in below.groups:
        scope = trust.signing_key(claims.nats, issuer)
        if not of_role:
            others += 0 if scope is not None and not scope.is_scoped and issuer in here else number
        elif issuer not in here:
            role = scope.role if scope is not None else issuer
            yield (
                f"The role “{role}” signs {_plural(number, 'user')}, but the seed of {issuer} is not here. "
                f"{signing.where_to_add(account.operator)}"
            )
    if others and not plain and (account.operator.strict or not own_seed):
        yield (
            f"{_plural(others, 'user')} would have nobody to sign them: no plain signing key of “{account.name}” has "
            "its seed here, and its new key can't sign them. Add a signing key first. "
            f"{signing.where_to_add(account.operator)}"
        )


def _named(rows: Sequence[Account]) -> str:
    names = ", ".join(f"“{row.name}”" for row in rows[:NAMED])
    return f"{names}, …" if len(rows) > NAMED else names


def _plural(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
