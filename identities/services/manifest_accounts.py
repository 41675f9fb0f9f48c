"""The accounts of an operator as a manifest has them, edited and signed in the order in which they need each other.

First everything but imports and auth callout, each account signed once; then users; then what may name any of these.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import AccountDraft
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.report import Issue, Report
from identities.formats.manifest import Said, SaidAccount
from identities.models import Account, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.queries import sharing as neighbours
from identities.services import accounts, audit, changes, clock, columns, signers
from identities.services.manifest_imports import drop_imports, put_imports
from identities.services.manifest_plans import Fate, ManifestRefused, Planned, Run, about, called
from identities.services.manifest_sections import (
    Work,
    edit_exports,
    edit_mappings,
    edit_revocations,
    edit_signing_keys,
)
from identities.services.manifest_settings import edit_callout, edit_settings
from identities.services.manifest_users import drop_users, meant, put_users

DONE = "Applied a manifest to account"
_LOCKING_OUT = frozenset({Action.USER_REVOKE, Action.USER_DELETE})


def carry_out(
    run: Run, said: Sequence[SaidAccount], rows: Sequence[Account], held: Mapping[int, list[User]]
) -> Iterator[Planned]:
    """Make the accounts what the manifest says; `rows` are the locked ones, `held` their users by account."""
    works = _begun(run, said, rows)
    people = {id(work): meant(work, held.get(work.base.pk, ())) for work in works}
    told: dict[int, list[Planned]] = {id(work): [] for work in works}
    for work in works:
        with about(called(work.row), work.said.line):
            edit_settings(work)
            edit_signing_keys(work)
            drop_imports(work)
    for work in sorted(works, key=lambda work: Action.IMPORT_EDIT not in work.actions):
        edit_exports(work)  # those that give up imports first: then nobody misses what others give up
        edit_mappings(work)
        edit_revocations(work)
        told[id(work)] += drop_users(work, held.get(work.base.pk, ()), people[id(work)])
        _sign(work)
    for work in works:
        told[id(work)] += put_users(work, people[id(work)])
    for work in works:
        _rebase(work)
        edit_callout(work)
        put_imports(work)
        _sign(work)
        yield _planned(work)
        yield from told[id(work)]


def drop_accounts(
    run: Run, said: Sequence[SaidAccount], rows: Sequence[Account], spared: str
) -> Iterator[Planned]:
    """Delete the accounts that the manifest does not name, never the system account; or say that they stay."""
    named = {_meant(entry, rows).pk for entry in said if _is_here(entry, rows)}
    for row in rows:
        if row.pk in named:
            continue
        if not run.prune or row.public_key in (run.system_account, spared):
            yield Planned(kind="account", name=row.name, fate=Fate.SURPLUS)
            continue
        notes = ["Servers go on with it until its JWT is deleted there."]
        notes += [
            f"“{one.row.name}” still imports from it: that stops working."
            for one in neighbours.importers(run.principal, row)
        ]
        with about(called(row)):
            accounts.delete(principal=run.principal, account=row, version=changes.locked(row, None).version)
        yield Planned(kind="account", name=row.name, fate=Fate.DELETE, notes=tuple(notes))


def _is_here(entry: Said, rows: Iterable[Account]) -> bool:
    return any(_matches(entry, row) for row in rows)


def _meant(entry: Said, rows: Iterable[Account]) -> Account:
    return next(row for row in rows if _matches(entry, row))


def _matches(entry: Said, row: Account) -> bool:
    if entry.key:
        return row.public_key == entry.key
    return row.name_fold == columns.folded(entry.name)


def _begun(run: Run, said: Sequence[SaidAccount], rows: Sequence[Account]) -> list[Work]:
    """Every account of the manifest, new ones with their rows; from now on all have names and keys."""
    by_key = {row.public_key: row for row in rows}
    by_name = {row.name_fold: row for row in rows}
    run.accounts.update({row.name_fold: row.public_key for row in rows})
    works = []
    for entry in said:
        row = by_key.get(entry.key) if entry.key else by_name.get(columns.folded(entry.name))
        if row is not None:
            works.append(
                Work(run=run, base=row, row=copy.copy(row), said=entry, before=changes.claims_of(row))
            )
        else:
            works.append(_made(run, entry, by_name.get(columns.folded(entry.name))))
        if entry.name:
            run.accounts[columns.folded(entry.name)] = works[-1].base.public_key
    return works


def _made(run: Run, entry: SaidAccount, namesake: Account | None) -> Work:
    what = called(entry.name or entry.key)
    if namesake is not None:
        raise ManifestRefused(
            f"{what}: the account of this name has the key {namesake.public_key}. Write that key, or none.",
            line=entry.line,
        )
    if not entry.name:
        raise ManifestRefused(
            f"{what} is not here, and can't be made without a name. Write “name: …”.", line=entry.line
        )
    with about(what, entry.line):
        decisions.require(run.principal, Action.ACCOUNT_CREATE, Scope(operator=run.operator.pk))
        row, claims, signer = accounts.begin(
            principal=run.principal,
            operator=run.operator,
            draft=AccountDraft(name=entry.name, public_key=entry.key),
            with_signing_key=run.operator.strict and entry.signing_keys is None,
        )
    if not entry.key:
        run.made(row.public_key, f"the new account “{entry.name}”")
    for extra in claims.nats.signing_keys:
        run.made(extra.key, "a new key")
    row.claims = codec.payload_text(claims)
    return Work(run=run, base=row, row=copy.copy(row), said=entry, signer=signer)


def _rebase(work: Work) -> None:
    """Take the account up again as it is by now: its users were counted meanwhile."""
    work.base = changes.locked(work.base, None)
    work.base.operator = work.run.operator
    work.row = copy.copy(work.base)


def _sign(work: Work) -> None:
    """Sign what the steps so far have come to, audit it, and do what follows; nothing where there were none."""
    if work.signer is None and not work.actions:
        return
    for key in work.keys:
        key.save()
    principal, now = work.run.principal, clock.unix()
    before: Claims[AccountBody] | None = None if work.signer is not None else changes.claims_of(work.base)
    after: Claims[AccountBody] = changes.claims_of(work.row)
    found = changes.check(after, before, now=now)
    if work.signer is None and _LOCKING_OUT.issuperset(work.actions):
        found = Report()  # what else is wrong with the account never keeps anybody in
    _refuse(work, after, found)
    change = changes.Change(
        before=before or after,
        after=after,
        report=found,
        diff=changes.difference(before, after) if before is not None else (),
    )
    work.notes += (
        change.new_warnings(now=now) if before is not None else [one.message for one in found.warnings]
    )
    urgent = not _LOCKING_OUT.isdisjoint(work.actions)
    with about(called(work.row), work.said.line):
        if work.signer is not None:
            row = changes.first(
                work.base, after, principal=principal, key=work.signer, reason="Created account"
            )
            audit.record(
                principal, Action.ACCOUNT_CREATE, [accounts.target(row)], f"Created account “{row.name}”"
            )
        else:
            key = signers.of_edit(work.base)
            row = changes.commit(work.base, change, principal=principal, key=key, reason=DONE, urgent=urgent)
            only = set(work.actions)
            action = only.pop() if len(only) == 1 else Action.ACCOUNT_EDIT
            audit.record(
                principal,
                action,
                [accounts.target(row)],
                changes.said(DONE, row.name, change),
                changes=change.diff,
            )
        for follow in work.finish:
            follow(row)
    work.base, work.signer = row, None
    work.keys, work.finish, work.actions = [], [], []


def _refuse(work: Work, after: Claims[AccountBody], found: Report) -> None:
    """Raise for what the Go library or nats-server refuses, with the line where it is written."""
    for wrong in found.errors if found.blocking else ():
        raise ManifestRefused(f"{called(work.row)}: {wrong.message}", line=_line(work, after, wrong))


def _line(work: Work, after: Claims[AccountBody], wrong: Issue) -> int:
    """Where the manifest says what an issue is about: the entry of a list, or else the field."""
    name, _, rest = wrong.path.removeprefix("nats.").partition("[")
    name, number = name.partition(".")[0], rest.partition("]")[0]
    entries: Sequence[Export | Import | None] = getattr(after.nats, name, ()) if number.isdigit() else ()
    if name in ("exports", "imports") and int(number or 0) < len(entries):
        about_it = _source(entries[int(number)])
        for index, said in enumerate(work.said.fields.get(name, ())):
            if _source(said) == about_it:
                return work.said.line_of(f"{name}[{index}]")
    return work.said.line_of(name)


def _source(entry: Export | Import | None) -> tuple[str, str]:
    return ("", "") if entry is None else (entry.type, entry.subject)


def _planned(work: Work) -> Planned:
    after = changes.claims_of(work.base)
    if work.before is None:
        nothing = Claims(
            nats=AccountBody(limits=OperatorLimits.unlimited()), sub=after.sub, iss=after.iss, name=""
        )
        fate, diff = Fate.CREATE, changes.difference(nothing, after)
    else:
        diff = changes.difference(work.before, after)
        fate = Fate.CHANGE if diff else Fate.KEEP
    return Planned(
        kind="account",
        name=work.base.name,
        fate=fate,
        diff=work.run.told(diff),
        notes=tuple(dict.fromkeys([*work.notes, *work.left])),
    )
