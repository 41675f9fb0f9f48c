"""JWTs made elsewhere come in as they are, to the byte; what is odd about them is said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.limits import OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission as Rules
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.models import AuditEvent, AuditTarget, Key, Mode, Purpose
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.services import accounts, adopting, adopting_users, changes, clock, operators, signing
from tests import elsewhere, goldens, make
from tests.adopted import WHO, current_text, ours, rules
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db
V1 = json.loads((goldens.GOLDEN / "spec-vectors-v1.json").read_text())


@pytest.fixture
def there(db: None) -> Elsewhere:
    return elsewhere.beside_ours()


@pytest.mark.parametrize("kind", ["operator", "account", "user"])
def test_a_version_1_jwt_stays_one_until_it_is_edited(kind: str) -> None:
    make.installation()
    parts = {name: codec.decode(V1[f"v1-{name}"]) for name in ("operator", "account", "user")}
    operator = adopting.adopt_operator(**WHO, text=V1["v1-operator"]).row
    rows: dict[str, Any] = {"operator": operator}
    rows["account"] = adopting.adopt_account(
        **WHO, operator=operator, text=V1["v1-account"], foreign=True
    ).row
    rows["user"] = adopting_users.adopt_users(**WHO, account=rows["account"], texts=[V1["v1-user"]])[0].row
    assert rows[kind].claims == parts[kind].payload
    assert json.loads(rows[kind].claims)["type"] == kind
    assert current_text(rows[kind]) == V1[f"v1-{kind}"].strip()
    assert changes.claims_of(rows[kind]) == parts[kind].claims


def test_seeds_of_others_are_passed_over(there: Elsewhere) -> None:
    stranger = KeyPair.create(KeyKind.ACCOUNT)
    seeds = {pair.public.text: pair.seed() for pair in (there.operator, stranger)}
    adopting.adopt_operator(**WHO, text=there.operator_jwt(), seeds=seeds)
    assert [key.public_key for key in Key.objects.all()] == [there.operator.public.text]


def test_a_user_of_a_role_with_rights_of_its_own_comes_with_go_s_words(there: Elsewhere) -> None:
    role = KeyPair.create(KeyKind.ACCOUNT)
    template = UserPermissionLimits.unlimited()
    keys = (SigningKey(kind=USER_SCOPE, key=role.public.text, role="r", template=template),)
    _, account = there.adopted(signing_keys=keys)
    text = there.user_jwt(
        by=role, issuer_account=account.public_key, limits=replace(template, pub=Rules(allow=("a",)))
    )
    made = adopting_users.adopt_users(**WHO, account=account, texts=[text])[0]
    assert "scoped users require no permissions or limits set" in ours(made.findings)
    assert made.row.pub_mode == Mode.ROLE


def test_without_a_name_the_key_stands_in_its_place(there: Elsewhere) -> None:
    operator = adopting.adopt_operator(**WHO, text=there.operator_jwt(name="")).row
    adopted = adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(name=""))
    assert (operator.name, adopted.row.name) == (operator.public_key, adopted.row.public_key)
    assert "A name is needed." in ours(adopted.findings)
    edit = accounts.AccountEdit(name="", description="now described")
    assert [change.path for change in accounts.plan_edit(adopted.row, edit).diff] == ["nats.description"]


def test_odd_values_come_in_and_are_told(there: Elsewhere) -> None:
    limits = replace(
        UserPermissionLimits.unlimited(), pub=Rules(allow=("a\0b", "x" * 3000, "ok", "ok")), subs=-7
    )
    operator, account = there.adopted(
        name="a/b", description="nul \0 in it", signing_keys=(SigningKey(key="junk" * 40),)
    )
    assert account.description == "nul \ufffd in it"
    assert changes.claims_of(account).nats.description == "nul \0 in it"
    assert {key.public_key for key in Key.objects.filter(account=account)} == {account.public_key}
    made = adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt(limits=limits)])[0]
    assert rules(user=made.row) == {("pub", "allow", "a\ufffdb", ""), ("pub", "allow", "ok", "")}
    said = " ".join(ours(made.findings))
    assert "3000 bytes long" in said
    assert "-7 is no limit" in said
    assert operator.pk == made.row.operator_id


def test_a_jwt_from_the_future_is_told_and_can_t_be_issued_again_before_then(there: Elsewhere) -> None:
    later = clock.unix() + 3600
    claims = Claims(nats=OperatorBody(), sub=there.operator.public.text, name="Late")
    text = codec.encode(claims, there.operator, later).text
    seeds = {there.operator.public.text: there.operator.seed()}
    adopted = adopting.adopt_operator(**WHO, text=text, seeds=seeds)
    assert "seconds ahead of this clock" in ours(adopted.findings)[0]
    with pytest.raises(signing.TooSoon, match="seconds from now"):
        operators.update(
            **WHO,
            operator=adopted.row,
            edit=operators.OperatorEdit(name="Later"),
            version=adopted.row.version,
        )


def test_a_deleted_operator_may_be_imported_again_and_goes_on_rising(there: Elsewhere) -> None:
    seeds = {there.operator.public.text: there.operator.seed()}
    first = adopting.adopt_operator(**WHO, text=there.operator_jwt(), seeds=seeds).row
    edited = operators.update(
        **WHO, operator=first, edit=operators.OperatorEdit(name="Edited"), version=first.version
    )
    operators.delete(**WHO, operator=edited, version=edited.version)
    again = adopting.adopt_operator(**WHO, text=there.operator_jwt(), seeds=seeds).row
    assert again.pk != first.pk
    assert again.last_iat == edited.last_iat > codec.from_payload(again.claims).iat


def test_each_import_leaves_an_event_that_names_what_came(there: Elsewhere) -> None:
    _, account = there.adopted()
    adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt()])
    events = AuditEvent.objects.filter(action=Action.JWT_ADOPT).order_by("seq")
    assert [event.summary for event in events] == [
        "Imported operator “Op”",
        "Imported account “Acc” of “Op”",
        "Imported user “U” of “Acc”",
    ]
    last = events.last()
    assert last is not None
    named = AuditTarget.objects.filter(event=last).values_list("key", flat=True)
    assert set(named) == {account.public_key, there.user.public.text}


def test_many_users_take_no_more_statements_than_few(there: Elsewhere) -> None:
    _, account = there.adopted()

    def statements(count: int, prefix: str) -> int:
        pairs = [KeyPair.create(KeyKind.USER) for _ in range(count)]
        texts = [there.user_jwt(name=f"{prefix}{n}", of=pair) for n, pair in enumerate(pairs)]
        seeds = {pair.public.text: pair.seed() for pair in pairs}
        with CaptureQueriesContext(connection) as counted:
            made = adopting_users.adopt_users(**WHO, account=account, texts=texts, seeds=seeds)
        assert len(made) == count
        return len(counted)

    assert statements(40, "many") == statements(4, "few")


def test_keys_keep_what_they_are_for(there: Elsewhere) -> None:
    plain, role, curve = (KeyPair.create(kind) for kind in (KeyKind.ACCOUNT, KeyKind.ACCOUNT, KeyKind.CURVE))
    template = replace(UserPermissionLimits.unlimited(), pub=Rules(allow=("orders.>",)))
    body = AccountBody(
        limits=OperatorLimits.unlimited(),
        signing_keys=(
            SigningKey(key=plain.public.text),
            SigningKey(kind=USER_SCOPE, key=role.public.text, role="orders", template=template),
        ),
    )
    authorization = replace(body.authorization, auth_users=(there.user.public.text,), xkey=curve.public.text)
    _, account = there.adopted(signing_keys=body.signing_keys, authorization=authorization)
    assert {key.public_key: (key.kind, key.purpose) for key in Key.objects.filter(account=account)} == {
        there.account.public.text: ("account", Purpose.IDENTITY),
        plain.public.text: ("account", Purpose.SIGNING),
        role.public.text: ("account", Purpose.ROLE),
        curve.public.text: ("curve", Purpose.CURVE),
    }
