"""An operator as a manifest: what is there gives an empty plan, what is meant is done once, whole and in order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from identities.claims.operator import OperatorBody
from identities.models import Account, AuditEvent, IssuedToken, Operator, User
from identities.services import changes, importing, manifests
from identities.services.import_items import Choices
from identities.services.manifest_plans import Fate, Plan
from tests import goldens, make, nscfiles

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    make.installation()


def told(plan: Plan) -> list[str]:
    return [
        f"{one.fate} {one.kind} {one.account}/{one.name}: "
        + "; ".join(f"{field.path}: {field.before} → {field.after}" for field in one.diff)
        for one in plan.edits
    ]


STORES = [*sorted(goldens.ENVIRONMENTS), *(f"invalid/store-variants/{name}" for name in goldens.VARIANTS)]


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("environment", STORES)
def test_a_golden_store_gives_an_empty_plan(environment: str, keys: bool, tmp_path: Path) -> None:
    folders = [goldens.GOLDEN / environment / "stores"]
    if environment in goldens.ENVIRONMENTS:
        folders.append(nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment)))
    importing.perform(**WHO, collected=nscfiles.collected(*folders), choices=Choices())
    tokens, events = IssuedToken.objects.count(), AuditEvent.objects.count()
    for operator in Operator.objects.live():
        text = manifests.text(make.COMMAND, operator, keys=keys)
        for prune in (False, True):
            plan = manifests.plan(**WHO, operator=operator, data=text, prune=prune)
            assert told(plan) == []
            assert plan.is_empty
            assert plan.count(Fate.KEEP) > Account.objects.live().filter(operator=operator).count()
            assert manifests.apply(
                **WHO, operator=operator, data=text, prune=prune, token=plan.token
            ).is_empty
    assert (IssuedToken.objects.count(), AuditEvent.objects.count()) == (tokens, events), "nothing is signed"


def shape(operator: Operator) -> dict[str, object]:
    """All claims of an operator with names where keys are, and without what every signing changes."""
    named = {operator.public_key: "<operator>"}
    rows = list(Account.objects.live().filter(operator=operator).order_by("name"))
    for row in rows:
        named[row.public_key] = f"<account {row.name}>"
        for number, entry in enumerate(
            sorted(changes.claims_of(row).nats.signing_keys, key=lambda one: one.role)
        ):
            named[entry.key] = f"<key {row.name} {entry.role or number}>"
    for user in User.objects.live().select_related(
        "account"
    ):  # revocations go on naming those of the original
        named[user.public_key] = f"<user {user.account.name} {user.name}>"
    body: OperatorBody = changes.claims_of(operator).nats
    text = operator.claims.replace(json.dumps(list(body.signing_keys), separators=(",", ":")), "[]")
    documents: dict[str, object] = {"": _named(text, named)}
    for row in rows:
        documents[row.name] = _named(row.claims, named)
        for user in User.objects.live().filter(account=row):
            documents[f"{row.name}/{user.name}"] = _named(user.claims, named)
    return documents


def _named(text: str, named: dict[str, str]) -> object:
    for key, name in named.items():
        text = text.replace(key, name)
    said: Any = json.loads(re.sub(r'"token":"[^"]+"', '"token":"<token>"', text))
    for lists in ("signing_keys", "exports", "imports"):
        if lists in said["nats"]:
            said["nats"][lists].sort(key=str)
    return {name: value for name, value in said.items() if name not in ("jti", "iat", "iss", "name")}


def test_a_golden_estate_is_built_anew_in_an_empty_operator() -> None:
    importing.perform(**WHO, collected=nscfiles.collected(goldens.GOLDEN / "full/stores"), choices=Choices())
    original = Operator.objects.get()
    copy = make.operator("Copy", system_account=False)
    before = Account.objects.get(name="Analytics")  # an import and a revocation name it by its key
    after = make.account(copy, "Analytics")
    text = manifests.text(make.COMMAND, original).replace("name: FullOp", "name: Copy")
    text = text.replace(before.public_key, after.public_key)
    done = manifests.apply(**WHO, operator=copy, data=text)
    copy.refresh_from_db()
    made = Account.objects.filter(operator=copy).count() + User.objects.filter(operator=copy).count()
    assert done.count(Fate.CREATE) == made - 1
    assert manifests.text(make.COMMAND, copy) == text
    copied = shape(copy)
    for name, document in shape(original).items():
        assert copied.pop(name) == document
    assert not copied
    assert manifests.plan(**WHO, operator=copy, data=text, prune=True).is_empty
