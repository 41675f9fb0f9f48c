"""JWTs made elsewhere that do not come in, or only when that is meant, and the words that say why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from identities.claims.scopes import SigningKey
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, User
from identities.nkeys import KeyKind, KeyPair, SecretBytes
from identities.policy.decisions import Forbidden
from identities.services import accounts, adopting, adopting_users, users
from tests import elsewhere, goldens, make
from tests.adopted import WHO, current_text, ours
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db
CASES = json.loads((goldens.GOLDEN / "invalid/cases.json").read_text())


@pytest.fixture
def there(db: None) -> Elsewhere:
    return elsewhere.beside_ours()


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


def test_a_name_that_no_list_can_hold_is_refused(there: Elsewhere) -> None:
    with pytest.raises(IdentityError, match="a name of 300 characters; 255 can be kept"):
        adopting.adopt_operator(**WHO, text=there.operator_jwt(name="n" * 300))


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
