"""When the audit event can't be written, nothing of the change is: no row, no token, no secret that leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.apps import apps

from identities.claims import codec, sharing
from identities.claims.common import Claims
from identities.claims.drafts import (
    AccountDraft,
    AccountEdit,
    ActivationDraft,
    ImportDraft,
    Minting,
    OperatorDraft,
    OperatorEdit,
    UserDraft,
    UserEdit,
)
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.permissions import UserPermissionLimits
from identities.claims.user import UserBody
from identities.models import Account, Key, Operator, Person, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.services import (
    accounts,
    activations,
    adopting,
    adopting_users,
    audit,
    changes,
    client_tests,
    creds,
    exports,
    imports,
    installation,
    operators,
    people,
    rotation,
    secrets,
    signing,
    users,
)
from tests import goldens, make

pytestmark = pytest.mark.django_db(transaction=True)

BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)
WHO = {"principal": make.COMMAND}


ELSEWHERE = KeyPair.create(KeyKind.ACCOUNT).public.text


@dataclass(frozen=True)
class Sample:
    """One of everything."""

    operator: Operator
    account: Account
    user: User
    bearer: User
    person: Person
    bare: Operator
    elsewhere: str
    """A JWT of a user of the account that was signed elsewhere."""
    other: Account


Work = Callable[[Sample], object]


def _limits(at: Sample) -> object:
    limits = replace(changes.claims_of(at.account).nats.limits, conn=7)
    return accounts.update_limits(**WHO, account=at.account, limits=limits, version=at.account.version)


def _revoke_earlier(at: Sample) -> object:
    return users.revoke_earlier(**WHO, user=at.user)


def _client_test(at: Sample) -> object:
    wish = client_tests.Wish(trial=client_tests.Trial.RTT, url="nats://localhost:4222")
    return client_tests.start(**WHO, user=at.user, wish=wish)


def _private(at: Sample) -> str:
    """The handle of a private export with one revocation."""
    return sharing.export_handles(changes.claims_of(at.account).nats.exports)[0]


def _import(at: Sample) -> dict[str, Any]:
    """The one import, and who asks."""
    handle = sharing.import_handles(changes.claims_of(at.account).nats.imports)[0]
    return {**WHO, "account": at.account, "handle": handle, "version": at.account.version}


def _export(at: Sample) -> dict[str, Any]:
    return {**WHO, "account": at.account, "handle": _private(at), "version": at.account.version}


def _import_with_token(at: Sample) -> object:
    imported = Import(subject="orders.new", account=at.account.public_key, type="stream")
    draft = ImportDraft(imported=imported, minting=Minting.IF_ASKED)
    return imports.add(**WHO, account=at.other, draft=draft, version=at.other.version)


def _adopt_operator(at: Sample) -> object:
    store = goldens.store("basics", "Test")
    return adopting.adopt_operator(**WHO, text=store.text, seeds=goldens.seeds())


def _adopt_account(at: Sample) -> object:
    text = goldens.store("basics", "Test").accounts["TestAccount"].text
    return adopting.adopt_account(**WHO, operator=at.operator, text=text, seeds=goldens.seeds(), foreign=True)


def _adopt_users(at: Sample) -> object:
    text = at.elsewhere
    return adopting_users.adopt_users(**WHO, account=at.account, texts=[text])


WORKS: dict[str, Work] = {
    "exports.add": lambda at: exports.add(
        **WHO, account=at.account, export=Export(subject="new", type="stream"), version=at.account.version
    ),
    "exports.edit": lambda at: exports.edit(export=Export(subject="new", type="stream"), **_export(at)),
    "exports.delete": lambda at: exports.delete(**_export(at)),
    "exports.revoke": lambda at: exports.revoke(target=ELSEWHERE, at=5, **_export(at)),
    "exports.clear": lambda at: exports.clear(target="*", **_export(at)),
    "activations.issue": lambda at: activations.issue(
        **WHO,
        account=at.account,
        handle=_private(at),
        draft=ActivationDraft(target=ELSEWHERE, subject="orders.>"),
    ),
    "imports.add": _import_with_token,
    "imports.edit": lambda at: imports.edit(
        draft=ImportDraft(imported=Import(subject="a", account=ELSEWHERE, type="service")), **_import(at)
    ),
    "imports.delete": lambda at: imports.delete(**_import(at)),
    "operators.create": lambda at: operators.create(**WHO, draft=OperatorDraft(name="New")),
    "operators.update": lambda at: operators.update(
        **WHO, operator=at.operator, edit=OperatorEdit(name="New"), version=at.operator.version
    ),
    "operators.delete": lambda at: operators.delete(**WHO, operator=at.operator, version=at.operator.version),
    "operators.add_system_account": lambda at: operators.add_system_account(
        **WHO, operator=at.bare, version=at.bare.version
    ),
    "accounts.create": lambda at: accounts.create(
        **WHO, operator=at.operator, draft=AccountDraft(name="New")
    ),
    "accounts.update": lambda at: accounts.update(
        **WHO, account=at.account, edit=AccountEdit(name="New"), version=at.account.version
    ),
    "accounts.update_limits": _limits,
    "accounts.revoke": lambda at: accounts.revoke(**WHO, account=at.account, entries={"*": 1}),
    "accounts.delete": lambda at: accounts.delete(**WHO, account=at.account, version=at.account.version),
    "users.create": lambda at: users.create(**WHO, account=at.account, draft=UserDraft(name="New")),
    "users.update": lambda at: users.update(
        **WHO, user=at.user, edit=UserEdit(name="New"), version=at.user.version
    ),
    "users.revoke_earlier": _revoke_earlier,
    "users.delete": lambda at: users.delete(**WHO, user=at.user, version=at.user.version),
    "adopting.adopt_operator": _adopt_operator,
    "adopting.adopt_account": _adopt_account,
    "adopting_users.adopt_users": _adopt_users,
    "creds.creds_file": lambda at: creds.creds_file(**WHO, user=at.user),
    "creds.creds_files": lambda at: creds.creds_files(**WHO, account=at.account, users=[at.user]),
    "creds.issue": lambda at: creds.issue(**WHO, account=at.account, drafts=[UserDraft(name="New")]),
    "creds.user_jwt": lambda at: creds.user_jwt(**WHO, user=at.bearer),
    "client_tests.start": _client_test,
    "installation.choose_default_operator": lambda at: installation.choose_default_operator(
        **WHO, operator=at.operator
    ),
    "people.first_admin_token": lambda at: people.first_admin_token(**WHO),
    "people.make_first_administrator": lambda at: people.make_first_administrator(
        **WHO, token=TOKEN[0], username="new", password=make.PASSWORD
    ),
    "people.record_failure": lambda at: people.record_failure(username="x", address=""),
    "people.record": lambda at: people.record(
        person=at.person, action=Action.SIGN_IN, address="", summary="Signed in"
    ),
    "rotation.reseal_all": lambda at: rotation.reseal_all(**WHO),
}
TOKEN: list[str] = []


@pytest.fixture
def sample() -> Sample:
    make.installation()
    operator = make.operator()
    account = make.account(operator)
    user = make.user(account)
    user = users.update(**WHO, user=user, edit=UserEdit(name="edited"), version=user.version)
    bearer = make.user(account, limits=BEARER)
    make.export(account, "orders.>", token_req=True, revocations={"*": 1})
    make.imported(account, "other.>", of=ELSEWHERE)
    TOKEN[:] = [people.first_admin_token(**WHO)]
    bare = make.operator(system_account=False)
    return Sample(
        operator,
        account,
        user,
        bearer,
        make.person(None),
        bare,
        _signed_elsewhere(account),
        make.account(operator),
    )


def _signed_elsewhere(account: Account) -> str:
    subject = KeyPair.create(KeyKind.USER).public.text
    claims = Claims(nats=UserBody(), sub=subject, name="elsewhere")
    with signing.signer_for(Key.objects.get(public_key=account.public_key)) as signer:
        return codec.encode(claims, signer, 1_600_000_000).text


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours; envelopes by their bytes."""
    return {
        model.__name__: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in apps.get_app_config("identities").get_models()
    }


def fail(*args: object, **kwargs: object) -> None:
    raise OSError("the audit can't be written")


@pytest.mark.parametrize("name", sorted(WORKS))
def test_nothing_is_left_of_a_change_without_its_event(
    sample: Sample, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()
    with monkeypatch.context() as patched:
        patched.setattr(audit, "record", fail)
        with pytest.raises(OSError, match="audit"):
            WORKS[name](sample)
    assert not differing(before, everything())
    WORKS[name](sample)
    assert differing(before, everything())


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [table for table in before if before[table] != after[table]]


STEPS = {"users.create_many", "users.commit", "accounts.commit", "operators.commit", "activations.record"}
"""What the services above go through, in their transaction."""


def test_every_service_that_writes_an_event_is_tried() -> None:
    modules = (
        operators,
        accounts,
        exports,
        imports,
        activations,
        users,
        adopting,
        adopting_users,
        creds,
        client_tests,
        installation,
        people,
        rotation,
    )
    writing = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, function in vars(module).items()
        if getattr(function, "__module__", "") == module.__name__
        and not name.startswith("_")
        and callable(function)
        and {"record", "_audit", "create_many", "rewrite", "_write"}
        & set(getattr(function, "__code__", fail.__code__).co_names)
    }
    assert writing <= set(WORKS) | STEPS


def test_a_sealed_installation_writes_nothing(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything()
    monkeypatch.setattr(secrets, "_unseal", lambda: None)
    secrets.forget()
    for name, work in WORKS.items():
        with pytest.raises(secrets.SealedInstallation):
            work(sample)
        assert everything() == before, name
