"""History that can be gone back to: any earlier version of an operator, an account or a user becomes its next one.

What comes back and what stays is said in `claims/earlier`. Every check, consequence and right is that of the edits
which would change the same things one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from django.db.models import Q

from identities import lookup
from identities.claims import codec, earlier
from identities.claims import sharing as entries
from identities.claims.account import AccountBody
from identities.claims.drafts import (
    AccountEdit,
    OperatorEdit,
    RoleDraft,
    SigningKeyDraft,
    UserEdit,
)
from identities.claims.operator import OperatorBody
from identities.claims.permissions import UserPermissionLimits
from identities.claims.report import Report
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Mode, Operator, User
from identities.models.tokens import IssuedTokenQuerySet
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    account_settings,
    accounts,
    auth_callout,
    changes,
    clock,
    dependents,
    granted,
    imports,
    mappings,
    operator_keys,
    operators,
    signing_keys,
    system_accounts,
    users,
)
from identities.services import sharing as shared
from identities.services.proposing import guarded

Row = Operator | Account | User
MOST_READ = 2000
"""How many versions are looked through for revocations of an export that comes back."""
BEARER = "The JWT of a bearer user alone logs in: it stays sealed, and is neither shown nor brought back."
_ACTIONS = {
    "nats.exports": Action.EXPORT_EDIT,
    "nats.imports": Action.IMPORT_EDIT,
    "nats.mappings": Action.MAPPING_EDIT,
    "nats.signing_keys": Action.SIGNING_KEY_EDIT,
    "nats.authorization": Action.AUTH_CALLOUT_EDIT,
}
"""What an account's part is edited under, where that is an action of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: its number, counted from 1, its ledger row, the claims in it, and their exact text."""

    number: int
    token: IssuedToken
    claims: changes.AnyClaims
    payload: str


def versions(row: Row) -> IssuedTokenQuerySet:
    """The JWTs of an object; a reissue does not end its history."""
    operator = row if isinstance(row, Operator) else row.operator
    found: IssuedTokenQuerySet = IssuedToken.objects.of(lookup.keys_of(row)).filter(operator=operator)
    return found


def number_of(row: Row, token: IssuedToken) -> int:
    """The number of a version, counted from 1; one query."""
    return versions(row).filter(Q(iat__lt=token.iat) | Q(iat=token.iat, pk__lte=token.pk)).count()


def version(row: Row, number: int) -> Version:
    """The version with this number of an object that the caller was allowed to see.

    Raises:
        NotFound: there is none. IdentityError: a bearer user's, which stays sealed.
    """
    token = versions(row).order_by("iat", "pk")[number - 1 : number].first() if number > 0 else None
    if token is None:
        raise lookup.NotFound(f"“{row.name}” has no version {number}.")
    if token.sealed is not None:
        raise IdentityError(BEARER)
    read = codec.decode(token.text)
    return Version(number=number, token=token, claims=read.claims, payload=read.payload)


def signing_keys_since(row: Row, then: Version) -> earlier.SigningKeys:
    """Which signing keys came and went since."""
    return earlier.signing_keys(changes.claims_of(row).nats, then.claims.nats)


def plan(
    principal: Principal,
    row: Row,
    number: int,
    *,
    revive: Collection[str] = (),
    keep_granted: bool = False,
) -> changes.Change:
    """What bringing back a version would change; `revive` names removed signing keys that come back with it, and with
    `keep_granted` what the operator grants an account stays as it is.

    Raises:
        NotFound, IdentityError: what of it can't stand any more.
    """
    then = version(row, number).claims
    if isinstance(row, Operator):
        return _plan_operator(row, then, revive)
    if isinstance(row, Account):
        then = granted.kept(changes.claims_of(row), then) if keep_granted else then
        return _plan_account(principal, row, then, revive)
    return _plan_user(row, then)


@guarded
def roll_back_operator(
    *, principal: Principal, operator: Operator, number: int, version: int, revive: Collection[str] = ()
) -> Operator:
    """Sign version `number` of an operator as its newest.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what is refused today.
    """
    decisions.require(principal, Action.OPERATOR_EDIT, Scope(operator=operator.pk))
    with changes.transaction_of_one():
        row = changes.locked(operator, version)
        change = plan(principal, row, number, revive=revive)
        back = _new(change.before.nats.signing_keys, change.after.nats.signing_keys)
        if back:
            decisions.require(principal, Action.OPERATOR_KEY_EDIT, Scope(operator=row.pk))
        for public_key in back:
            operator_keys.brought_row(row, public_key).save()
        return operators.commit(
            row, change, principal=principal, done=f"Brought back version {number} of operator"
        )


@guarded
def roll_back_account(
    *,
    principal: Principal,
    account: Account,
    number: int,
    version: int,
    revive: Collection[str] = (),
    keep_granted: bool = False,
) -> Account:
    """Sign version `number` of an account as its newest; who may is who may edit each part that changes.

    With `keep_granted` what the operator grants stays as it is, and admins of the account may bring back the rest.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what is refused today. Forbidden. NoSigner.
    """
    decisions.require(principal, Action.ACCOUNT_EDIT, accounts.scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        change = plan(principal, row, number, revive=revive, keep_granted=keep_granted)
        for action in _actions(change):
            decisions.require(principal, action, accounts.scope(row))
        before: AccountBody = change.before.nats
        after: AccountBody = change.after.nats
        changes.refuse_invalid(change.report)
        for entry in _returning(before, after):
            signing_keys.row_of(row, _draft(entry)).save()
        if after.authorization.xkey not in ("", before.authorization.xkey):
            auth_callout.know(row, after.authorization.xkey)
        row = accounts.commit(
            row, change, principal=principal, done=f"Brought back version {number} of account"
        )
        for entry in _changed_roles(before, after):
            if entry.template is None or not entry.template.bearer_token:
                signing_keys.no_longer_bearer(row, entry.key)
        return row


@guarded
def roll_back_user(*, principal: Principal, user: User, number: int, version: int) -> User:
    """Sign version `number` of a user as its newest; creds that are out keep working with the rights in them.

    Raises:
        StaleWrite: somebody else changed it meanwhile. InvalidClaims: what is refused today. NoSigner. Suspended.
    """
    return users.rewrite(
        principal=principal,
        user=user,
        plan=lambda row: plan(principal, row, number),
        version=version,
        done=f"Brought back version {number} of user",
    )


def _plan_operator(row: Operator, then: changes.AnyClaims, revive: Collection[str]) -> changes.Change:
    body: OperatorBody = then.nats
    edit = OperatorEdit(
        name=then.name,
        account_server_url=body.account_server_url,
        service_urls=body.operator_service_urls,
        require_signing_keys=body.strict_signing_key_usage,
        assert_server_version=body.assert_server_version,
        tags=body.tags,
        expires=then.exp,
        not_before=then.nbf,
    )
    told = operators.plan_edit(row, edit).consequences
    told += system_accounts.plan_choose(row, body.system_account).consequences
    change = changes.plan(row, lambda claims: earlier.operator(claims, then, revive=revive), now=clock.unix())
    for key in _new(change.before.nats.signing_keys, change.after.nats.signing_keys):
        told += operator_keys.plan_add(row, key).consequences
        told += (f"The signing key {key}, which was removed, signs for this operator again.",)
    return replace(change, consequences=told)


def _plan_account(
    principal: Principal, row: Account, then: changes.AnyClaims, revive: Collection[str]
) -> changes.Change:
    now: AccountBody = changes.claims_of(row).nats
    body: AccountBody = then.nats
    back = {one for one in earlier.signing_keys(now, body).removed if one in revive}
    for key in back:
        signing_keys.refuse_taken(row, key)
    gone = _withdrawn(row, now, body)
    change = changes.plan(
        row,
        lambda claims: earlier.account(claims, then, revive=back, withdrawn=gone),
        now=clock.unix(),
    )
    found = imports.found_new(principal, row, change)
    report = Report.of([*change.report, *found])
    return replace(change, report=report, consequences=tuple(dict.fromkeys(_told(principal, row, change))))


def _told(principal: Principal, row: Account, change: changes.Change) -> Iterator[str]:
    """What the edits of each part say, which also refuse what can't stand any more."""
    before: AccountBody = change.before.nats
    after: AccountBody = change.after.nats
    text = AccountEdit(
        name=change.after.name,
        description=after.description,
        info_url=after.info_url,
        tags=after.tags,
        expires=change.after.exp,
        not_before=change.after.nbf,
    )
    yield from accounts.plan_edit(row, text).consequences
    if after.limits != before.limits:
        yield from accounts.plan_limits(row, after.limits).consequences
    yield from account_settings.plan_default_permissions(row, after.default_permissions).consequences
    yield from auth_callout.plan_update(row, after.authorization).consequences
    yield from shared.broken_importers(principal, row, change.before, change.after)
    kept = {(one.subject, one.type, one.account) for one in after.imports if one is not None}
    for one, name in zip(before.imports, entries.import_handles(before.imports), strict=True):
        if one is not None and (one.subject, one.type, one.account) not in kept:
            yield from imports.plan_delete(row, name).consequences
    for source in before.mappings.keys() - after.mappings.keys():
        yield from mappings.plan_remove(row, source).consequences
    for entry in _changed_roles(before, after):
        signing_keys.filled(row, signing_keys.entry_of(row, entry.key), _role(entry))
        yield from dependents.told_of_change(change.after, row, entry)
    for entry in _returning(before, after):
        if entry.is_scoped:
            signing_keys.filled(row, replace(entry, template=None), _role(entry))
        yield f"The signing key {entry.key}, which was removed, counts again."
        yield from dependents.told_of_addition(row, entry.key)


def _plan_user(row: User, then: changes.AnyClaims) -> changes.Change:
    body: UserBody = then.nats
    by_role = row.pub_mode == Mode.ROLE
    if by_role != (body.limits == UserPermissionLimits()):
        raise IdentityError(
            f"Then “{row.name}” was issued by {'a plain key' if by_role else 'a role'}, now by "
            f"{'a role' if by_role else 'a plain key'}, and one can't carry what the other says. Move it first."
        )
    edit = UserEdit(
        name=then.name,
        limits=None if by_role else body.limits,
        tags=body.tags,
        expires=then.exp,
        not_before=then.nbf,
    )
    told = users.plan_edit(row, edit).consequences
    change = changes.plan(row, lambda claims: earlier.user(claims, then), now=clock.unix())
    return replace(change, consequences=told)


def _actions(change: changes.Change) -> set[Action]:
    """What somebody must be allowed to do, beside editing the account, for exactly these fields to change."""
    parts = {".".join(field.path.partition("[")[0].split(".")[:2]) for field in change.diff}
    return {_ACTIONS[part] for part in parts & _ACTIONS.keys()}


def _withdrawn(row: Account, now: AccountBody, then: AccountBody) -> dict[earlier.Offered, dict[str, int]]:
    """What was ever revoked of exports that come back; read from the ledger only where one does."""
    held = {(one.subject, one.type) for one in now.exports if one is not None}
    if all(one is None or (one.subject, one.type) in held for one in then.exports):
        return {}
    texts = versions(row).order_by("-iat", "-pk").values_list("text", flat=True)[:MOST_READ]
    return earlier.withdrawn(now, (codec.decode(text).claims.nats for text in texts))


def _new(before: Collection[str], after: Collection[str]) -> list[str]:
    return [key for key in after if key not in before]


def _returning(before: AccountBody, after: AccountBody) -> list[SigningKey]:
    held = {entry.key for entry in before.signing_keys}
    return [entry for entry in after.signing_keys if entry.key not in held]


def _changed_roles(before: AccountBody, after: AccountBody) -> list[SigningKey]:
    held = {entry.key: entry for entry in before.signing_keys}
    return [
        entry
        for entry in after.signing_keys
        if entry.is_scoped and entry.key in held and held[entry.key] != entry
    ]


def _role(entry: SigningKey) -> RoleDraft:
    return RoleDraft(
        role=entry.role,
        description=entry.description,
        template=entry.template or UserPermissionLimits(),
    )


def _draft(entry: SigningKey) -> SigningKeyDraft:
    return SigningKeyDraft(public_key=entry.key, role=_role(entry) if entry.is_scoped else None)
