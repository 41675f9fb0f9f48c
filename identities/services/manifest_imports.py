"""The imports of an account as a manifest has them: by the exporter's name; tokens are issued where that may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from identities.claims.drafts import ImportDraft, Minting
from identities.claims.imports import Import
from identities.claims.report import Grade, Issue
from identities.claims.sharing import import_handles
from identities.models import Account
from identities.policy.actions import Action
from identities.queries import sharing as neighbours
from identities.services import changes, clock, imports, sharing
from identities.services.manifest_plans import ManifestRefused, about, called, token_words
from identities.services.manifest_sections import Work, kept
from identities.services.manifest_settings import account_key

Pairs = list[tuple[Import | None, Import]]
"""What is held (None for nothing) beside what is wanted, entry by entry of the manifest."""


def drop_imports(work: Work) -> None:
    """Delete those that the manifest does not name. Exports go after that, so that nobody misses them."""
    if "imports" not in work.said.fields:
        return
    gone = [one for one in work.body.imports if one is not None]
    for held, _ in _paired(work):
        if held is not None:
            gone.remove(held)
    if work.goes("import", (one.subject for one in gone)):
        for one in gone:
            entries = work.body.imports
            handle = import_handles(entries)[entries.index(one)]
            work.step(Action.IMPORT_EDIT, _deleting(handle), at="imports")


def _deleting(handle: str) -> Callable[[Account], changes.Change]:
    return lambda row: imports.plan_delete(row, handle)


def put_imports(work: Work) -> None:
    """Add and edit those that the manifest names, once every export that it makes is there."""
    if "imports" not in work.said.fields:
        return
    entries = list(work.body.imports)
    touched: list[tuple[int, Import | None, Import]] = []
    for number, (held, wanted) in enumerate(_paired(work)):
        merged = wanted if held is None else kept(replace(wanted, token=wanted.token or held.token), held)
        if merged == held:
            continue
        with about(called(work.row), work.said.line_of(f"imports[{number}]")):
            merged = _with_token(work, merged)
        if held is None:
            entries.append(merged)
        else:
            entries[entries.index(held)] = merged
        touched.append((number, held, merged))
    if not touched:
        return
    change = changes.plan(work.row, changes.edit_body(imports=tuple(entries)), now=clock.unix())
    work.step(Action.IMPORT_EDIT, lambda _: change, at="imports")
    around = neighbours.around(
        work.run.principal, [merged for _, _, merged in touched], operator=work.run.operator
    )
    for number, held, merged in touched:
        line = work.said.line_of(f"imports[{number}]")
        for issue in _fresh(work, held, merged, around):
            if issue.grade is Grade.ERROR:
                raise ManifestRefused(f"{called(work.row)}: {issue.message}", line=line)
            work.notes.append(issue.message)


def _with_token(work: Work, wanted: Import) -> Import:
    draft = ImportDraft(imported=wanted, minting=Minting.IF_ASKED)
    imported, token = imports.with_token(principal=work.run.principal, account=work.row, draft=draft)
    if token is not None:
        work.run.made(token_words(token.text), "an activation token, issued when this is applied")
    return imported


def _fresh(
    work: Work, held: Import | None, merged: Import, around: dict[str, neighbours.Known]
) -> Iterator[Issue]:
    """The findings on an import that it did not have before."""
    now, body = clock.unix(), work.body
    known = sharing.issues_of(work.base, held, body, around, now=now) if held is not None else ()
    for issue in sharing.issues_of(work.row, merged, body, around, now=now):
        if issue not in known:
            yield issue


def _paired(work: Work) -> Pairs:
    """Each wanted import with the held one that is the same, or the same but for where it is put."""
    wanted = [
        replace(one, account=account_key(work.run, one.account, work.said.line_of(f"imports[{number}]")))
        for number, one in enumerate(_said(work))
    ]
    left = [one for one in work.body.imports if one is not None]
    pairs: dict[int, Import] = {}
    for told in (_place, _source):
        for number, one in enumerate(wanted):
            if number in pairs:
                continue
            found = next((other for other in left if told(other) == told(one)), None)
            if found is not None:
                pairs[number] = found
                left = [other for other in left if other is not found]
    return [(pairs.get(number), one) for number, one in enumerate(wanted)]


def _said(work: Work) -> Iterable[Import]:
    said: Iterable[Import] = work.said.fields["imports"]
    return said


def _place(one: Import) -> tuple[str, ...]:
    return one.type, one.account, one.subject, one.local_subject, one.to


def _source(one: Import) -> tuple[str, ...]:
    return one.type, one.account, one.subject
