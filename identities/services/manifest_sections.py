"""The lists of an account as a manifest has them: which entry is which, and one edit an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.exports import Export
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import UserPermissionLimits
from identities.claims.revocations import EVERYONE
from identities.claims.scopes import SigningKey
from identities.claims.sharing import export_handles
from identities.formats.manifest import Said, SaidAccount
from identities.models import Account, Key
from identities.policy import decisions
from identities.policy.actions import Action
from identities.services import accounts, changes, columns, exports, kept_out, mappings, signing_keys
from identities.services.manifest_plans import ManifestRefused, Run, about, called
from identities.services.manifest_state import role_names

Value = TypeVar("Value")


@dataclass(slots=True, kw_only=True)
class Work:
    """An account while it is edited: `base` is its locked row, `row` a copy that holds the claims as they would be,
    `before` what it said at first (None for a new one, whose first claims `signer` signs).

    `keys` are rows to be saved before the claims are signed, `finish` is done after; `left` tells the entries that the
    manifest does not name, and that stay.
    """

    run: Run
    base: Account
    row: Account
    said: SaidAccount
    before: Claims[AccountBody] | None = None
    signer: Key | None = None
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    finish: list[Callable[[Account], object]] = field(default_factory=list)

    @property
    def body(self) -> AccountBody:
        """What the account would say by now."""
        body: AccountBody = changes.claims_of(self.row).nats
        return body

    @property
    def prunes(self) -> bool:
        """Whether entries that the manifest does not name go. Those of the system account never do."""
        return self.run.prune and self.row.public_key != self.run.system_account

    def step(self, action: Action, plan: Callable[[Account], changes.Change], *, at: str) -> bool:
        """Carry out one edit on the copy: allowed, planned by the service whose edit it is, refused with its line.

        Returns whether something changed. `at` is the field of the manifest.
        """
        with about(called(self.row), self.said.line_of(at)):
            change = plan(self.row)
            if change.is_empty:
                return False
            decisions.require(self.run.principal, action, accounts.scope(self.row))
            self.notes += change.consequences
            self.actions.append(action)
            self.row.claims = codec.payload_text(change.after)
            self.row.name = columns.name_of(change.after)
        return True

    def goes(self, what: str, named: Iterable[str]) -> bool:
        """Whether the entries called so, which the manifest does not name, are deleted; they are noted if not."""
        words = ", ".join(named)
        if words and not self.prunes:
            self.left.append(f"Not in the manifest, and left as it is: {what} {words}.")
        return bool(words) and self.prunes


def kept(new: Value, old: Any) -> Value:
    """`new` with the fields of `old` that this version does not know, all the way down."""
    merged: Value = _kept(new, old)
    return merged


def _kept(new: Any, old: Any) -> Any:
    if type(new) is not type(old):
        return new
    if isinstance(new, tuple):
        alike = len(new) == len(old)
        return tuple(_kept(one, other) for one, other in zip(new, old, strict=True)) if alike else new
    if isinstance(new, dict):
        return {key: _kept(value, old.get(key)) for key, value in new.items()}
    if not is_dataclass(new) or isinstance(new, type):
        return new
    held = {one.name: getattr(old, one.name) for one in fields(new)}
    return replace(
        new,
        **{
            name: value if name == "extra" else _kept(getattr(new, name), value)
            for name, value in held.items()
        },
    )


def edit_signing_keys(work: Work) -> None:
    """Roles by name or key; plain keys by key, or by number where any will do."""
    if work.said.signing_keys is None:
        return
    named = {entry.key for entry in work.said.signing_keys}
    roles, plain = role_names(work.body), _plain(work.body, but=named)
    used = set(named)
    for entry in work.said.signing_keys:
        key = entry.key or roles.get(entry.name, "")
        if not key and "role" not in entry.fields and plain:
            key = plain.pop(0)
        held = next((one for one in work.body.signing_keys if one.key == key), None)
        if held is None:
            key = _add_key(work, entry)
        elif held.is_scoped and "role" in entry.fields:
            _edit_role(work, held, entry)
        elif held.is_scoped or "role" in entry.fields:
            what = "a role" if held.is_scoped else "a plain key"
            raise ManifestRefused(
                f"{called(work.row)}: {key} is {what} and stays one. Add another key, and move the users to it.",
                line=entry.line,
            )
        used.add(key)
    gone = {one.key: one.role or one.key for one in work.body.signing_keys if one.key not in used}
    if work.goes("signing key", gone.values()):
        for key in gone:
            work.step(Action.SIGNING_KEY_EDIT, _removal(key), at="signing_keys")


def _removal(key: str) -> Callable[[Account], changes.Change]:
    return lambda row: signing_keys.plan_remove(row, key)


def _plain(body: AccountBody, *, but: Iterable[str]) -> list[str]:
    return sorted(one.key for one in body.signing_keys if not one.is_scoped and one.key not in but)


def _add_key(work: Work, entry: Said) -> str:
    role = None
    if "role" in entry.fields:
        template = entry.fields.get("template", UserPermissionLimits.unlimited())
        role = RoleDraft(role=entry.name, description=entry.fields.get("description", ""), template=template)
    draft = SigningKeyDraft(public_key=entry.key, role=role)
    with about(called(work.row), entry.line):
        key = signing_keys.row_of(work.row, draft)
        known = replace(draft, public_key=key.public_key)
        work.step(Action.SIGNING_KEY_EDIT, lambda row: signing_keys.plan_add(row, known), at="signing_keys")
    if not entry.key:
        work.run.made(key.public_key, f"a new key for “{entry.name}”" if role else "a new key")
    else:
        work.notes.append(
            f"{'A role' if role else 'A key'} whose seed may not be here is added: {entry.key}."
        )
    work.keys.append(key)
    return key.public_key


def _edit_role(work: Work, held: SigningKey, entry: Said) -> None:
    before = RoleDraft(
        role=held.role,
        description=held.description,
        template=held.template or UserPermissionLimits.unlimited(),
    )
    draft = replace(
        before,
        role=entry.fields["role"],
        description=entry.fields.get("description", before.description),
        template=kept(entry.fields.get("template", before.template), before.template),
    )
    if draft == before:
        return
    with about(called(work.row), entry.line):
        changed = work.step(
            Action.SIGNING_KEY_EDIT,
            lambda row: signing_keys.plan_edit(row, held.key, draft),
            at="signing_keys",
        )
    if changed and not draft.template.bearer_token:
        work.finish.append(lambda row: signing_keys.no_longer_bearer(row, held.key))


def edit_exports(work: Work) -> None:
    """Exports by type and subject; one of that name that no other entry is takes a new subject."""
    if "exports" not in work.said.fields:
        return
    wanted: tuple[Export, ...] = work.said.fields["exports"]
    pairs = _paired(work.body.exports, wanted)
    for index, export in enumerate(wanted):
        held = pairs[index]
        at = f"exports[{index}]"
        if held is None:
            work.step(Action.EXPORT_EDIT, _adding(export), at=at)
            continue
        merged = kept(replace(export, revocations=later(held.revocations, export.revocations)), held)
        if merged == held:
            continue
        action = Action.EXPORT_EDIT
        if replace(merged, revocations=held.revocations) == held:
            action = Action.ACTIVATION_REVOKE
        elif merged.revocations != held.revocations:
            decisions.require(work.run.principal, Action.ACTIVATION_REVOKE, accounts.scope(work.row))
        handle = _export_handle(work.body, held)
        work.step(action, _editing(work, handle, merged), at=at)
    gone = [one for one in work.body.exports if one is not None and not _is_wanted(one, wanted)]
    if work.goes("export", (one.subject for one in gone)):
        for export in gone:
            work.step(Action.EXPORT_EDIT, _deleting(work, _export_handle(work.body, export)), at="exports")


def _is_wanted(held: Export, wanted: Iterable[Export]) -> bool:
    return any((one.type, one.subject) == (held.type, held.subject) for one in wanted)


def _paired(held: Iterable[Export | None], wanted: tuple[Export, ...]) -> dict[int, Export | None]:
    left = [one for one in held if one is not None]
    pairs: dict[int, Export | None] = {}
    for told in (_subject, _name):
        for index, export in enumerate(wanted):
            if pairs.get(index) is not None:
                continue
            found = next((one for one in left if told(one) and told(one) == told(export)), None)
            pairs[index] = found
            left = [one for one in left if one is not found]
    return pairs


def _subject(export: Export) -> tuple[str, ...]:
    return export.type, export.subject


def _name(export: Export) -> tuple[str, ...]:
    return (export.type, export.name) if export.name else ()


def _export_handle(body: AccountBody, export: Export) -> str:
    return export_handles(body.exports)[body.exports.index(export)]


def _adding(export: Export) -> Callable[[Account], changes.Change]:
    return lambda row: exports.plan_add(row, export)


def _editing(work: Work, handle: str, export: Export) -> Callable[[Account], changes.Change]:
    return lambda row: exports.plan_edit(work.run.principal, row, handle, export)


def _deleting(work: Work, handle: str) -> Callable[[Account], changes.Change]:
    return lambda row: exports.plan_delete(work.run.principal, row, handle)


def later(held: Mapping[str, int], said: Mapping[str, int]) -> dict[str, int]:
    """Revocations as they stay: what was revoked until later is not let in again by an older manifest."""
    return {**held, **{key: max(at, held.get(key, 0)) for key, at in said.items()}}


def edit_mappings(work: Work) -> None:
    """Mappings by their source."""
    if "mappings" not in work.said.fields:
        return
    wanted: Mapping[str, tuple[WeightedMapping, ...]] = work.said.fields["mappings"]
    for source, targets in wanted.items():
        held = work.body.mappings.get(source)
        ways = kept(targets, held)
        if ways != held:
            plan = _mapping(source, ways, "" if held is None else source)
            work.step(Action.MAPPING_EDIT, plan, at="mappings")
    gone = sorted(work.body.mappings.keys() - wanted.keys())
    if work.goes("mapping", gone):
        for source in gone:
            work.step(Action.MAPPING_EDIT, _unmapping(source), at="mappings")


def _mapping(
    source: str, ways: tuple[WeightedMapping, ...], replaces: str
) -> Callable[[Account], changes.Change]:
    return lambda row: mappings.plan_put(row, source, ways, replaces=replaces)


def _unmapping(source: str) -> Callable[[Account], changes.Change]:
    return lambda row: mappings.plan_remove(row, source)


def edit_revocations(work: Work) -> None:
    """Revocations of users by key. None is ever taken back: an older manifest lets nobody in again."""
    if "revocations" not in work.said.fields:
        return
    held = work.body.revocations
    wanted = later(held, work.said.fields["revocations"])
    fresh = {key: at for key, at in wanted.items() if held.get(key) != at}
    if fresh and work.step(Action.USER_REVOKE, _revoking(wanted), at="revocations"):
        whom = (
            "all users"
            if EVERYONE in fresh
            else f"{len(fresh):,} keys"
            if len(fresh) > 1
            else next(iter(fresh))
        )
        work.notes.append(f"Revokes what was issued to {whom}: creds that are covered stop working.")
        work.finish.append(lambda row: kept_out.remember(row, fresh))


def _revoking(revocations: Mapping[str, int]) -> Callable[[Account], changes.Change]:
    return lambda row: accounts.plan_revocations(row, revocations)
