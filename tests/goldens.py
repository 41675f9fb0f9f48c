"""The nsc stores and tokens of `tests/golden`, with the seeds that belong to them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from identities.models import Account, Operator, User
from identities.nkeys import KeyPair, SecretBytes
from identities.services import adopting, adopting_users
from tests import make

GOLDEN = Path(__file__).parent / "golden"
ENVIRONMENTS = {"basics": "Test", "basics-sys": "Test", "full": "FullOp"}
"""nsc environment → its operator."""
VARIANTS = sorted(path.name for path in (GOLDEN / "invalid/store-variants").iterdir())
_SEED = re.compile(r"\bS[OAUX][A-Z2-7]{56}\b")


@dataclass(frozen=True)
class Held:
    """An account of a store: its JWT ("" when the file is missing) and those of its users by name."""

    text: str
    users: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """What nsc keeps of one operator."""

    text: str
    accounts: dict[str, Held]


def store(path: str, operator: str) -> Store:
    """The store of `operator` in the environment at `path`."""
    folder = GOLDEN / path / "stores" / operator
    accounts = {}
    for home in sorted((folder / "accounts").iterdir()):
        users = {found.stem: found.read_text() for found in sorted((home / "users").glob("*.jwt"))}
        own = home / f"{home.name}.jwt"
        accounts[home.name] = Held(own.read_text() if own.exists() else "", users)
    return Store((folder / f"{operator}.jwt").read_text(), accounts)


@cache
def seeds() -> dict[str, SecretBytes]:
    """Every seed of the golden data, by its public key."""
    texts = [(GOLDEN / name / "out/list-keys-all-seeds.txt").read_text() for name in ENVIRONMENTS]
    texts += [path.read_text() for path in GOLDEN.glob("*/out/creds/*.creds")]
    names = ("invalid/seeds.json", "vectors/claims.json", "vectors/nkeys.json", "spec-vectors.json")
    texts += [json.dumps(json.loads((GOLDEN / name).read_text())) for name in names]
    found = {seed for text in texts for seed in _SEED.findall(text)}
    return {KeyPair.from_seed(seed).public.text: SecretBytes(seed.encode()) for seed in found}


def adopt(held: Store, *, with_seeds: bool = True) -> tuple[Operator, dict[str, Account], dict[str, User]]:
    """A store taken over whole: its operator, its accounts by name, its users by `account/name`."""
    make.installation()
    known = seeds() if with_seeds else {}
    operator = adopting.adopt_operator(principal=make.COMMAND, text=held.text, seeds=known).row
    accounts, users = {}, {}
    for name, account in held.accounts.items():
        row = adopting.adopt_account(
            principal=make.COMMAND, operator=operator, text=account.text, seeds=known
        ).row
        made = adopting_users.adopt_users(
            principal=make.COMMAND, account=row, texts=list(account.users.values()), seeds=known
        )
        row.refresh_from_db()
        accounts[name] = row
        users |= {f"{name}/{one.row.name}": one.row for one in made}
    return operator, accounts, users
