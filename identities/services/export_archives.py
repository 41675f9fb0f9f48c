"""Packs what goes out as a zip file while it is read, with a README that says how to use it and what is not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from identities.formats.nsc_writing import KEYSTORE, STORES, FlatLayout
from identities.formats.zip_writing import ZipWriter
from identities.services import account_creds, clock, export_reading
from identities.services.account_creds import AccountCreds
from identities.services.export_plans import Plan, Remarks
from identities.services.export_reading import Written

README = "README.txt"
_AT_LEAST = 64 * 1024
"""Bytes that are handed on at once."""


def store(plan: Plan) -> Iterator[bytes]:
    """An operator's store, with its keystore where the plan has keys."""
    yield from _packed(export_reading.files(plan), lambda: _about_store(plan))


def creds(found: AccountCreds, filename: str) -> Iterator[bytes]:
    """The creds and contexts of an account's users; `filename` is what the archive is called."""
    yield from _packed(account_creds.files(found), lambda: _about_creds(found, filename))


def _packed(files: Iterable[Written], readme: Callable[[], Iterator[str]]) -> Iterator[bytes]:
    """The README comes last, when it is known what could not be read."""
    archive, waiting = ZipWriter(clock.now()), bytearray()
    for one in files:
        waiting += archive.add(one.path, one.data)
        if len(waiting) >= _AT_LEAST:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting) + archive.add(README, "\n".join([*readme(), ""]).encode()) + archive.end()


def _about_store(plan: Plan) -> Iterator[str]:
    name = plan.operator.name
    yield f"Operator “{name}” ({plan.operator.public_key}), as nsc keeps it."
    yield ""
    if isinstance(plan.layout, FlatLayout):
        yield "Every file is named by its public key, as nsc export keys --include-jwts names it."
        if plan.with_keys:
            yield "  nsc import keys --dir .        takes the seeds into nsc's keystore"
        yield "  nsc fix --in . --out REBUILT   makes a store of the JWTs and seeds"
    else:
        folders = (
            f"--data-dir {STORES} --keystore-dir {KEYSTORE}" if plan.with_keys else f"--data-dir {STORES}"
        )
        yield "Unpacked, nsc takes it as it lies:"
        yield f"  nsc {folders} list accounts"
        yield "or moves into its own home:"
        yield (
            f"  cp -a {STORES} {KEYSTORE} ~/.local/share/nats/nsc/"
            if plan.with_keys
            else (f"  cp -a {STORES} ~/.local/share/nats/nsc/")
        )
    if plan.with_keys:
        yield ""
        yield "The seeds (.nk) and creds are in the clear: keep them as you would passwords."
    if plan.managed:
        yield ""
        yield "None of the operator's keys is in nscweb, so nsc is told that somebody else signs its accounts: managed."
    yield from _listed("To know:", plan.remarks)


def _about_creds(found: AccountCreds, filename: str) -> Iterator[str]:
    account = found.account
    yield f"Creds of the users of account “{account.name}” (operator “{account.operator.name}”)."
    yield ""
    yield "  creds/NAME.creds    what a client logs in with: keep it as you would a password"
    yield "  context/NAME.json   a context of the nats command line, which names those creds"
    yield ""
    yield "Both lie where the nats command line looks, once they are unpacked there:"
    yield f"  unzip '{filename}' 'creds/*' 'context/*' -d ~/.config/nats"
    if found.first:
        yield f"  nats --context {found.first} rtt"
    yield from _listed("Left out:", found.left)


def _listed(title: str, remarks: Remarks) -> Iterator[str]:
    if remarks:
        yield ""
        yield title
    for message, things in remarks.items():
        yield f"- {message}:"
        yield from (f"    {thing}" for thing in things)
