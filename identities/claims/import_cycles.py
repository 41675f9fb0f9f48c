"""Imports that lead back to where they came from, through any number of accounts, found as nats-server finds them.

nats-server refuses the import that would close the circle, whichever account it loads last (`accounts.go
checkServiceImportsForCycles, checkStreamImportsForCycles`), so that all of them should know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from identities.claims.account import AccountBody
from identities.claims.imports import Import
from identities.claims.local_subjects import local_pattern, remote_subject
from identities.claims.subjects import is_subset, overlaps

TAKEN_FOR_RING = (
    "nats-server refuses a service import as wide as this: it takes its own service `$SYS.REQ.USER.*.INFO`, which the "
    "system account imports from itself, for a ring"
)
_ASKED, _SERVED = "$SYS.REQ.USER.INFO", "$SYS.REQ.USER.<account>.INFO"
DEEPEST = 100
"""Accounts that are gone through; nats-server gives up after 1,024."""


def cycle(importer: str, imported: Import, accounts: Mapping[str, AccountBody]) -> tuple[str, ...]:
    """The keys of the accounts that an import of `importer` goes through until it is back at one of them; () for none.

    `accounts` holds the claims by key, as far as they are known.
    """
    local, remote = local_pattern(imported), remote_subject(imported)
    starts = {"service": (local,), "stream": (local, remote)}.get(imported.type, ())
    for subject in starts:
        search = _Search(kind=imported.type, accounts=accounts)
        if found := search.back(imported.account, subject, (importer,)):
            return found
    return ()


def taken_for_ring(imported: Import) -> bool:
    """True when nats-server finds a ring where there is none, whichever account the service comes from.

    Every account imports `$SYS.REQ.USER.INFO` from the system account, which imports it from itself (`events.go
    registerSystemImports, addSystemAccountExports`); the search for rings goes in there with every subject that meets
    what that service is called there, unless it holds the other name too.
    """
    local = local_pattern(imported)
    return imported.type == "service" and overlaps(local, _SERVED) and not is_subset(_ASKED, local)


@dataclass(slots=True, kw_only=True)
class _Search:
    """One walk along the imports of one kind; what was gone through without a find is not gone through again."""

    kind: str
    accounts: Mapping[str, AccountBody]
    seen: set[tuple[str, str]] = field(default_factory=set)

    def back(self, key: str, subject: str, passed: tuple[str, ...]) -> tuple[str, ...]:
        body = self.accounts.get(key)
        if body is None or len(passed) > DEEPEST or (key, subject) in self.seen:
            return ()
        self.seen.add((key, subject))
        if self.kind == "stream" and not self._exports(body, subject):
            return ()
        for one in body.imports:
            if one is None or one.type != self.kind or not overlaps(subject, self._met(one)):
                continue
            if one.account in (*passed, key):
                return (*passed, key, one.account)
            local = local_pattern(one)
            subject = local if is_subset(local, subject) else subject
            if found := self.back(one.account, subject, (*passed, key)):
                return found
        return ()

    def _met(self, imported: Import) -> str:
        return remote_subject(imported) if self.kind == "service" else local_pattern(imported)

    @staticmethod
    def _exports(body: AccountBody, subject: str) -> bool:
        kinds = (one for one in body.exports if one is not None and one.type == "stream")
        return any(is_subset(subject, one.subject) for one in kinds)
