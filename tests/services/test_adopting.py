"""JWTs made elsewhere come in as they are, to the byte; seeds are sealed, and what is wrong with them is said."""

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
from identities.claims.report import Report
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.errors import IdentityError
from identities.models import (
    Account,
    AuditEvent,
    AuditTarget,
    IssuedToken,
    Key,
    Mode,
    Operator,
    Permission,
    Purpose,
    User,
)
from identities.nkeys import KeyKind, KeyPair, SecretBytes
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.services import (
    accounts,
    adopting,
    adopting_users,
    changes,
    clock,
    columns,
    creds,
    operators,
    signing,
    users,
)
from identities.services.secrets import opened
from tests import goldens, make
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db

CASES = json.loads((goldens.GOLDEN / "invalid/cases.json").read_text())
V1 = json.loads((goldens.GOLDEN / "spec-vectors-v1.json").read_text())
WHO: Any = {"principal": make.COMMAND}


@pytest.fixture
def there(db: None) -> Elsewhere:
    make.installation()
    return Elsewhere()


def ours(findings: Report) -> list[str]:
    return [issue.message for issue in findings if issue.ours]


def current_text(row: Operator | Account | User) -> str:
    assert row.token is not None
    with signing.token_text(row.token) as text:
        return text


@pytest.mark.parametrize("path", goldens.ENVIRONMENTS)
class TestStores:
    def test_every_text_and_payload_stays_as_it_was(self, path: str) -> None:
        store = goldens.store(path, goldens.ENVIRONMENTS[path])
        operator, held, people = goldens.adopt(store)
        texts: dict[str, Operator | Account | User] = {store.text: operator}
        texts |= {account.text: held[name] for name, account in store.accounts.items()}
        texts |= {
            text: people[f"{name}/{user}"]
            for name, account in store.accounts.items()
            for user, text in account.users.items()
        }
        for text, row in texts.items():
            token = codec.decode(text)
            row.refresh_from_db()
            assert current_text(row) == text.strip()
            assert (row.claims, row.name, row.public_key) == (
                token.payload,
                token.claims.name,
                token.claims.sub,
            )
            assert (row.issuer, row.last_iat, row.expires, row.not_before, row.version) == (
                token.claims.iss,
                token.claims.iat,
                token.claims.exp,
                token.claims.nbf,
                1,
            )
            assert codec.payload_text(changes.claims_of(row)) == token.payload
        assert IssuedToken.objects.count() == len(texts)
        assert set(IssuedToken.objects.values_list("origin", flat=True)) == {"imported"}

    def test_what_lists_and_search_read_is_what_the_documents_say(self, path: str) -> None:
        _, held, people = goldens.adopt(goldens.store(path, goldens.ENVIRONMENTS[path]))
        for account in held.values():
            body: AccountBody = changes.claims_of(account).nats
            assert account.user_count == User.objects.filter(account=account).count()
            assert account.jetstream is body.limits.jetstream_enabled
            assert rules(account=account, user=None, key=None) == set(
                columns.rules_of(body.default_permissions)
            )
            for entry in body.signing_keys:
                key = Key.objects.get(account=account, public_key=entry.key)
                template = entry.template or UserPermissionLimits()
                assert (key.purpose, key.role) == ("role" if entry.is_scoped else "signing", entry.role)
                assert rules(key=key) == set(columns.rules_of(template))
        for user in people.values():
            assert rules(user=user) == set(columns.rules_of(changes.claims_of(user).nats.limits))

    def test_every_key_is_here_with_its_seed_and_signs(self, path: str) -> None:
        operator, held, people = goldens.adopt(goldens.store(path, goldens.ENVIRONMENTS[path]))
        wanted = {operator.public_key, *changes.claims_of(operator).nats.signing_keys}
        for account in held.values():
            body: AccountBody = changes.claims_of(account).nats
            wanted |= {account.public_key, *(key.key for key in body.signing_keys)}
            wanted |= {body.authorization.xkey} - {""}
        wanted |= {user.public_key for user in people.values()}
        keys = {key.public_key: key for key in Key.objects.all()}
        assert keys.keys() == wanted
        for key in keys.values():
            assert key.sealed is not None
            with opened(key.sealed, table="key", public_key=key.public_key, purpose="seed") as seed:
                assert KeyPair.from_seed(seed).public.text == key.public_key
        assert all(user.has_seed for user in people.values())

    def test_without_seeds_every_key_is_public_only(self, path: str) -> None:
        _, held, people = goldens.adopt(goldens.store(path, goldens.ENVIRONMENTS[path]), with_seeds=False)
        assert not Key.objects.exclude(sealed=None).exists()
        assert not any(user.has_seed for user in people.values())
        account = held["TestAccount" if path != "full" else "Billing"]
        with pytest.raises(signing.NoSigner, match="seed"):
            accounts.update_limits(
                **WHO,
                account=account,
                limits=replace(changes.claims_of(account).nats.limits, conn=77),
                version=account.version,
            )

    def test_an_edit_keeps_the_issuer_and_rises_above_what_was_there(self, path: str) -> None:
        _, _, people = goldens.adopt(goldens.store(path, goldens.ENVIRONMENTS[path]))
        for user in list(people.values())[:4]:
            before = changes.claims_of(user)
            edit = users.UserEdit(
                name=f"{user.name}-2", tags=before.nats.tags, expires=before.exp, not_before=before.nbf
            )
            saved = users.update(**WHO, user=user, edit=edit, version=user.version)
            after = changes.claims_of(saved)
            assert (after.iss, after.nats) == (before.iss, before.nats)
            assert after.iat > before.iat
            assert saved.token is not None and saved.token.replaces == user.token


def rules(**holder: Any) -> set[tuple[str, str, str, str]]:
    rows = Permission.objects.filter(**holder)
    return set(rows.values_list("direction", "effect", "pattern__text", "queue"))


def test_a_bearer_jwt_is_sealed_and_that_of_a_bearer_role_too() -> None:
    _, _, people = goldens.adopt(goldens.store("full", "FullOp"))
    bearers = {name for name, user in people.items() if user.bearer}
    assert bearers == {"Billing/bearer", "Orders/ro1"}
    for name, user in people.items():
        assert user.token is not None
        assert (user.token.text == "") is (name in bearers)
        assert (user.token.sealed is not None) is (name in bearers)
    text = (goldens.GOLDEN / "full/stores/FullOp/accounts/Billing/users/bearer.jwt").read_text().strip()
    assert creds.user_jwt(**WHO, user=people["Billing/bearer"]).text == text


def test_where_the_rights_of_users_come_from_is_known_at_once() -> None:
    _, _, people = goldens.adopt(goldens.store("full", "FullOp"))
    modes = {name: (user.pub_mode, user.sub_mode) for name, user in people.items()}
    assert modes["Orders/svc1"] == (Mode.ROLE, Mode.ROLE)
    assert modes["Orders/unscoped-sk"] == (Mode.DEFAULT, Mode.DEFAULT)
    assert modes["Billing/perms"] == (Mode.RULES, Mode.RULES)
    assert modes["Billing/responder-n"] == (Mode.REPLIES, Mode.OPEN)


def test_a_creds_file_of_an_imported_user_is_that_of_nsc() -> None:
    _, _, people = goldens.adopt(goldens.store("basics", "Test"))
    for name, user in people.items():
        written = (goldens.GOLDEN / f"basics/out/creds/{name.replace('/', '-')}.creds").read_text()
        assert creds.creds_file(**WHO, user=user).text.strip() == written.strip()


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


REFUSED = [
    pytest.param(case["token"], id=case["name"])
    for case in CASES
    if case["expected"].get("decode_error") and case["name"] != "account-raw-export-null"
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_go_refuses_to_read_comes_in_by_no_door(there: Elsewhere, text: str) -> None:
    operator, account = there.adopted()
    before = IssuedToken.objects.count()
    for door in (
        lambda: adopting.adopt_operator(**WHO, text=text),
        lambda: adopting.adopt_account(**WHO, operator=operator, text=text, foreign=True),
        lambda: adopting_users.adopt_users(**WHO, account=account, texts=[text]),
    ):
        with pytest.raises(IdentityError):
            door()
    assert IssuedToken.objects.count() == before


@pytest.mark.parametrize("name", goldens.VARIANTS)
def test_a_store_with_something_wrong_in_it_says_what(name: str) -> None:
    make.installation()
    store = goldens.store(f"invalid/store-variants/{name}", "Good")
    refused: list[str] = []
    found: list[str] = []

    def tried(work: Any, **wanted: Any) -> Any:
        try:
            return work(**WHO, **wanted)
        except IdentityError as error:
            refused.append(error.user_message)
            return None

    adopted = tried(adopting.adopt_operator, text=store.text)
    for account in store.accounts.values() if adopted else ():
        row = tried(adopting.adopt_account, operator=adopted.row, text=account.text, foreign=True)
        if row is None:
            continue
        found += [issue.message for issue in row.findings if issue.grade != "warning"]
        for text in account.users.values():
            made = tried(adopting_users.adopt_users, account=row.row, texts=[text])
            found += [issue.message for one in made or () for issue in one.findings]
    assert ([without_keys(text) for text in refused], [without_keys(text) for text in found]) == EXPECTED[
        name
    ]


def without_keys(text: str) -> str:
    """A message without the keys in it, which say nothing to a reader."""
    return " ".join("KEY" if len(word.strip(".,")) == 56 else word for word in text.split())


TAMPERED = "claim failed V2 signature verification"
EXPECTED: dict[str, tuple[list[str], list[str]]] = {
    "baseline-ok": ([], []),
    "user-file-name-differs": ([], []),
    "account-missing-file": (["expected 3 chunks"], []),
    "operator-tampered": ([TAMPERED], []),
    "user-tampered": ([TAMPERED], []),
    "expired": ([], ["claim is expired", "claim is expired"]),
    "account-of-other-operator": (
        [
            "User “u1” belongs to the account KEY not to “A1”.",
            "User “uSK” belongs to the account KEY not to “A1”.",
        ],
        ["signed by KEY which is no key of operator “Good” (any more)"],
    ),
    "user-by-removed-signing-key": (
        [],
        ["signed by KEY which is no key of account “A1” (any more)"],
    ),
    "subject-mismatch-account-key": (["KEY is a key of kind account, not user."], []),
    "strict-after-the-fact": ([], []),
    "system-account-with-js": ([], []),
}


def test_another_kind_of_jwt_is_refused_in_words(there: Elsewhere) -> None:
    operator, account = there.adopted()
    with pytest.raises(IdentityError, match="type “user”, not of an operator"):
        adopting.adopt_operator(**WHO, text=there.user_jwt())
    with pytest.raises(IdentityError, match="type “operator”, not of an account"):
        adopting.adopt_account(**WHO, operator=operator, text=there.operator_jwt())
    with pytest.raises(IdentityError, match="type “account”, not of a user"):
        adopting_users.adopt_users(**WHO, account=account, texts=[there.account_jwt()])


def test_what_is_here_already_is_refused_by_key_and_by_name(there: Elsewhere) -> None:
    operator, account = there.adopted()
    other = Elsewhere()
    with pytest.raises(IdentityError, match=r"“Op” with the key O.* is here already"):
        adopting.adopt_operator(**WHO, text=there.operator_jwt(name="New"))
    with pytest.raises(IdentityError, match="already an operator named “OP”"):
        adopting.adopt_operator(**WHO, text=other.operator_jwt(name="OP"))
    with pytest.raises(IdentityError, match=r"“Acc” with the key A.* is here already"):
        adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(name="New"))
    with pytest.raises(IdentityError, match="already has an account named “ACC”"):
        adopting.adopt_account(
            **WHO, operator=operator, text=there.account_jwt(name="ACC", of=KeyPair.create(KeyKind.ACCOUNT))
        )
    adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt()])
    with pytest.raises(IdentityError, match=r"“U” with the key U.* is here already"):
        adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt(name="New")])
    with pytest.raises(IdentityError, match="already has a user named “U”"):
        adopting_users.adopt_users(
            **WHO, account=account, texts=[there.user_jwt(of=KeyPair.create(KeyKind.USER))]
        )


def test_a_key_that_another_account_signs_with_is_refused_with_its_holder(there: Elsewhere) -> None:
    shared = KeyPair.create(KeyKind.ACCOUNT)
    keys = (SigningKey(key=shared.public.text),)
    operator, _ = there.adopted(signing_keys=keys)
    text = there.account_jwt(name="Second", of=KeyPair.create(KeyKind.ACCOUNT), signing_keys=keys)
    with pytest.raises(
        IdentityError, match=f"{shared.public.text} of account “Second” is already one of “Acc”"
    ):
        adopting.adopt_account(**WHO, operator=operator, text=text)


def test_users_come_all_or_none(there: Elsewhere) -> None:
    _, account = there.adopted()
    pairs = [KeyPair.create(KeyKind.USER) for _ in range(3)]
    texts = [there.user_jwt(name=f"u{number}", of=pair) for number, pair in enumerate(pairs)]
    with pytest.raises(IdentityError, match="JWT 4 of 4: expected 3 chunks"):
        adopting_users.adopt_users(**WHO, account=account, texts=[*texts, "junk"])
    with pytest.raises(IdentityError, match="Two of the users have the key"):
        adopting_users.adopt_users(
            **WHO, account=account, texts=[*texts, there.user_jwt(name="again", of=pairs[0])]
        )
    with pytest.raises(IdentityError, match="Two of the users have the name “u1”"):
        adopting_users.adopt_users(**WHO, account=account, texts=[*texts, there.user_jwt(name="u1")])
    assert not User.objects.filter(account=account).exists()
    made = adopting_users.adopt_users(**WHO, account=account, texts=texts)
    assert [one.row.name for one in made] == ["u0", "u1", "u2"]
    account.refresh_from_db()
    assert account.user_count == 3
    assert adopting_users.adopt_users(**WHO, account=account, texts=[]) == []


def test_a_seed_must_fit_its_key(there: Elsewhere) -> None:
    key, other = there.operator.public.text, KeyPair.create(KeyKind.OPERATOR)
    with pytest.raises(IdentityError, match=f"seed that came for {key} is that of {other.public.text}") as no:
        adopting.adopt_operator(**WHO, text=there.operator_jwt(), seeds={key: other.seed()})
    assert other.seed().reveal().decode() not in str(no.value)
    with pytest.raises(IdentityError, match=r"not a seed|A seed has") as no:
        adopting.adopt_operator(**WHO, text=there.operator_jwt(), seeds={key: SecretBytes(b"SOnonsense")})
    assert "SOnonsense" not in str(no.value)
    assert not Operator.objects.exists()
    assert not Key.objects.exists()


def test_seeds_of_others_are_passed_over(there: Elsewhere) -> None:
    stranger = KeyPair.create(KeyKind.ACCOUNT)
    seeds = {pair.public.text: pair.seed() for pair in (there.operator, stranger)}
    adopting.adopt_operator(**WHO, text=there.operator_jwt(), seeds=seeds)
    assert [key.public_key for key in Key.objects.all()] == [there.operator.public.text]


@pytest.mark.parametrize(("by", "words"), [("itself", "self-signed"), ("another", "no key of operator")])
def test_an_account_that_the_operator_did_not_sign_comes_in_only_when_that_is_meant(
    there: Elsewhere, by: str, words: str
) -> None:
    operator = adopting.adopt_operator(**WHO, text=there.operator_jwt()).row
    signer = there.account if by == "itself" else KeyPair.create(KeyKind.OPERATOR)
    text = there.account_jwt(by=signer)
    with pytest.raises(IdentityError, match=words) as refused:
        adopting.adopt_account(**WHO, operator=operator, text=text)
    assert refused.value.field == "foreign"
    assert not Account.objects.filter(operator=operator).exists()
    adopted = adopting.adopt_account(**WHO, operator=operator, text=text, foreign=True)
    assert any(words in message for message in ours(adopted.findings))
    assert words in AuditEvent.objects.latest("seq").summary
    assert adopted.row.issuer == signer.public.text
    assert current_text(adopted.row) == text


def test_a_strict_operator_s_identity_key_signs_no_account(there: Elsewhere) -> None:
    signer = KeyPair.create(KeyKind.OPERATOR)
    strict = there.operator_jwt(strict_signing_key_usage=True, signing_keys=(signer.public.text,))
    operator = adopting.adopt_operator(**WHO, text=strict).row
    with pytest.raises(IdentityError, match="which requires signing keys"):
        adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt())
    adopted = adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(by=signer))
    assert ours(adopted.findings) == []
    made = adopting_users.adopt_users(**WHO, account=adopted.row, texts=[there.user_jwt()])
    assert "its operator requires signing keys" in ours(made[0].findings)[0]


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


def test_a_name_that_no_list_can_hold_is_refused(there: Elsewhere) -> None:
    with pytest.raises(IdentityError, match="a name of 300 characters; 255 can be kept"):
        adopting.adopt_operator(**WHO, text=there.operator_jwt(name="n" * 300))


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


def test_what_was_deleted_here_does_not_come_back_under_the_same_operator(there: Elsewhere) -> None:
    operator, account = there.adopted()
    user = adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt()])[0].row
    users.delete(**WHO, user=user, version=user.version, revoke=False)
    with pytest.raises(IdentityError, match="belonged to the deleted user “U”"):
        adopting_users.adopt_users(**WHO, account=account, texts=[there.user_jwt(name="Back")])
    account.refresh_from_db()
    accounts.delete(**WHO, account=account, version=account.version)
    with pytest.raises(IdentityError, match="belonged to the deleted account “Acc”"):
        adopting.adopt_account(**WHO, operator=operator, text=there.account_jwt(name="Back"))


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


def test_who_may_only_look_may_not_import(there: Elsewhere) -> None:
    viewer = make.principal("viewer")
    with pytest.raises(Forbidden):
        adopting.adopt_operator(principal=viewer, text=there.operator_jwt())
    operator, account = there.adopted()
    admin_there = make.principal("administrator", operator=operator)
    with pytest.raises(Forbidden):
        adopting.adopt_operator(principal=admin_there, text=Elsewhere().operator_jwt(name="Other"))
    text = there.account_jwt(name="Second", of=KeyPair.create(KeyKind.ACCOUNT))
    assert adopting.adopt_account(principal=admin_there, operator=operator, text=text).row.name == "Second"
    with pytest.raises(Forbidden):
        adopting_users.adopt_users(principal=viewer, account=account, texts=[there.user_jwt()])


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
