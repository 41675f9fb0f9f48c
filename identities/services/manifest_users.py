"""The users of an account as a manifest has them: found by name or key, made, edited, moved to a role, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from identities.claims import trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.diff import FieldChange
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.claims.user import UserBody
from identities.formats.manifest import Said
from identities.formats.manifest_fields import RIGHTS
from identities.models import Account, Mode, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, moves, signing, users
from identities.services.manifest_plans import Fate, ManifestRefused, Planned, about
from identities.services.manifest_sections import Work, kept
from identities.services.manifest_settings import said_name
from identities.services.manifest_state import role_names

UNLIMITED = UserPermissionLimits.unlimited()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """An entry of the manifest with the user that it means; None: one that is to be made."""

    said: Said
    user: User | None


def meant(work: Work, held: Sequence[User]) -> list[Meant]:
    """Which user each entry means: by key, or else by name.

    Raises: ManifestRefused: one is called as an entry, but has another key.
    """
    by_name, by_key = {user.name: user for user in held}, {user.public_key: user for user in held}
    found = []
    for said in work.said.users or ():
        user = by_key.get(said.key) if said.key else by_name.get(said.name)
        if user is None and said.key and (other := by_name.get(said.name)) is not None:
            raise ManifestRefused(
                f"{_called(work, said)}: a user of this name has the key {other.public_key}. Write that key, or none; "
                "or delete that user first.",
                line=said.line,
            )
        if user is None and not said.name:
            raise ManifestRefused(
                f"{_called(work, said)} is not here, and can't be made without a name. Write “name: …”.",
                line=said.line,
            )
        found.append(Meant(said=said, user=user))
    return found


def drop_users(work: Work, held: Sequence[User], wanted: Sequence[Meant]) -> Iterator[Planned]:
    """Delete those that the manifest does not name, all revoked in one JWT of the account; or say that they stay."""
    if work.said.users is None:
        return
    named = {one.user.pk for one in wanted if one.user is not None}
    gone = [user for user in held if user.pk not in named]
    fate = Fate.DELETE if work.prunes else Fate.SURPLUS
    notes = ("Its creds stop working as soon as servers have the account's new JWT.",) if work.prunes else ()
    for user in gone:
        yield Planned(kind="user", name=user.name, account=work.row.name, fate=fate, notes=notes)
    if not gone or not work.prunes:
        return
    now = clock.unix()
    entries = {
        user.public_key: max(now, user.last_iat, work.body.revocations.get(user.public_key, 0))
        for user in gone
    }
    after = {**work.body.revocations, **entries}
    work.step(Action.USER_DELETE, lambda row: accounts.plan_revocations(row, after), at="users")
    principal = work.run.principal
    for user in gone:
        work.finish.append(partial(_bury, principal, user))


def _bury(principal: Principal, user: User, account: Account) -> None:
    users.bury(principal=principal, account=account, user=user, revoked=True)


def put_users(work: Work, wanted: Sequence[Meant]) -> Iterator[Planned]:
    """Make and edit those that the manifest names; the account says by now what they stand on."""
    claims: Claims[AccountBody] = changes.claims_of(work.base)
    drafts = [_draft(work, claims, one.said) for one in wanted if one.user is None]
    if drafts:
        _create(work, drafts)
    for one in wanted:
        if one.user is None:
            diff = _new(work, one.said)
            yield Planned(
                kind="user",
                name=one.said.name,
                account=work.row.name,
                fate=Fate.CREATE,
                diff=work.run.told(diff),
            )
        else:
            yield _edit(work, claims, one.said, one.user)


def _called(work: Work, said: Said) -> str:
    return f"User “{said.name or said.key}” of “{work.row.name}”"


def _new(work: Work, said: Said) -> tuple[FieldChange, ...]:
    """What a new user says beyond one about whom nothing was written."""
    row = User.objects.live().only("claims", "name", "pub_mode").get(account=work.base, name=said.name)
    after: Claims[UserBody] = changes.claims_of(row)
    body = UserBody(
        limits=UserPermissionLimits() if row.pub_mode == Mode.ROLE else UNLIMITED,
        issuer_account=after.nats.issuer_account,
    )
    return changes.difference(Claims(nats=body, sub=after.sub, iss=after.iss, name=""), after)


def _create(work: Work, drafts: Sequence[UserDraft]) -> None:
    run = work.run
    decisions.require(run.principal, Action.USER_CREATE, accounts.scope(work.base))
    with about(f"Users of “{work.row.name}”", work.said.line_of("users")):
        made = users.create_unaudited(principal=run.principal, account=work.base, drafts=drafts)
    summary = f"Created user “{made[0].name}”" if len(made) == 1 else f"Created {len(made)} users"
    audit.record(
        run.principal,
        Action.USER_CREATE,
        [accounts.target(work.base), *(users.target(user, work.base) for user in made)],
        f"{summary} in “{work.base.name}”",
    )
    if "authorization" in work.said.fields:
        for user in made:
            run.made(user.public_key, f"the new user “{user.name}”")


def _rights(said: Said) -> dict[str, Any]:
    return {name: value for name, value in said.fields.items() if name in RIGHTS}


def _draft(work: Work, claims: Claims[AccountBody], said: Said) -> UserDraft:
    fields, rights = said.fields, _rights(said)
    role = _role_key(work, claims.nats, said) or ""
    if role and rights:
        raise ManifestRefused(
            f"{_called(work, said)} has the role “{fields['role']}”, which alone says what its users may do. Remove "
            f"{', '.join(rights)}, or the role.",
            line=said.line,
        )
    limits = UNLIMITED
    if rights:
        limits = UserPermissionLimits(**{**_values(UNLIMITED), **rights})
    draft = UserDraft(
        name=said.name,
        public_key=said.key,
        limits=None if role else limits,
        tags=fields.get("tags", ()),
        expires=fields.get("exp", 0),
        not_before=fields.get("nbf", 0),
        signer=role,
    )
    if rights or draft.expires or draft.not_before:
        body = UserBody(limits=limits, tags=draft.tags)
        first = Claims(nats=body, name=draft.name, exp=draft.expires, nbf=draft.not_before)
        with about(_called(work, said), said.line):
            changes.refuse_invalid(changes.check(first, None, now=clock.unix()))
    return draft


def _values(limits: UserPermissionLimits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in RIGHTS}


def _role_key(work: Work, body: AccountBody, said: Said) -> str | None:
    """The key of the role that an entry says: "" for none, None where nothing is written."""
    if "role" not in said.fields:
        return None
    wanted, roles = str(said.fields["role"]), role_names(body)
    if not wanted:
        return ""
    if wanted in roles or wanted in roles.values():
        return roles.get(wanted, wanted)
    near = get_close_matches(wanted, roles, n=1)
    meant_so = f" (do you mean “{near[0]}”?)" if near else ""
    raise ManifestRefused(
        f"{_called(work, said)}: there is no role “{wanted[:80]}” in the account{meant_so}. Add it to the "
        "signing_keys, or correct the name.",
        line=said.line_of("role"),
    )


def _edit(work: Work, claims: Claims[AccountBody], said: Said, user: User) -> Planned:
    before: Claims[UserBody] = changes.claims_of(user)
    notes: list[str] = []
    with about(_called(work, said), said.line):
        role = _role_key(work, claims.nats, said)
        if role is not None and role != _role_of(claims.nats, user):
            user = _move(work, claims, user, role, notes)
        user = _rewrite(work, said, user, notes)
    diff = work.run.told(changes.difference(before, changes.claims_of(user)))
    return Planned(
        kind="user",
        name=user.name,
        account=work.row.name,
        fate=Fate.CHANGE if diff else Fate.KEEP,
        diff=diff,
        notes=tuple(dict.fromkeys(notes)),
    )


def _role_of(body: AccountBody, user: User) -> str:
    entry = trust.signing_key(body, user.issuer)
    scoped = entry is not None and entry.is_scoped
    return user.issuer if scoped or user.pub_mode == Mode.ROLE else ""


def _locked(work: Work, user: User) -> User:
    row = changes.locked(user, None)
    row.account, row.operator = work.base, work.run.operator
    return row


def _move(work: Work, claims: Claims[AccountBody], user: User, role: str, notes: list[str]) -> User:
    principal = work.run.principal
    decisions.require(principal, Action.USER_MOVE, users.scope(user))
    row = _locked(work, user)
    key = signing.user_signer(work.base, claims, strict=work.run.operator.strict, chosen=role)
    start = moves.Start.UNLIMITED if row.pub_mode == Mode.ROLE and not role else None
    change = moves.plan(row, moves.Move(signer=key.public_key, start=start))
    where = moves.said(work.base, key)
    row = users.sign(row, change, account=work.base, key=key, principal=principal, reason=f"Moved to {where}")
    audit.record(
        principal,
        Action.USER_MOVE,
        [users.target(row, work.base), accounts.target(work.base)],
        f"Moved user “{row.name}” of “{work.base.name}” to {where}",
    )
    row.account = work.base
    notes += change.consequences
    return row


def _rewrite(work: Work, said: Said, user: User, notes: list[str]) -> User:
    claims: Claims[UserBody] = changes.claims_of(user)
    fields, held = said.fields, claims.nats.limits
    rights = _rights(said)
    limits = kept(UserPermissionLimits(**{**_values(held), **rights}), held)
    before = UserEdit(name=claims.name, tags=claims.nats.tags, expires=claims.exp, not_before=claims.nbf)
    edit = UserEdit(
        name=said_name(user, said),
        limits=None if limits == held else limits,
        tags=fields.get("tags", before.tags),
        expires=fields.get("exp", before.expires),
        not_before=fields.get("nbf", before.not_before),
    )
    if edit == before:
        return user
    decisions.require(work.run.principal, Action.USER_EDIT, users.scope(user))
    row = _locked(work, user)
    change = users.plan_edit(row, edit)
    notes += (*change.consequences, *change.new_warnings(now=clock.unix()))
    row = users.commit(row, change, principal=work.run.principal, done="Edited user")
    notes.append("Creds handed out before go on working with the rights they give, until they expire.")
    return row
