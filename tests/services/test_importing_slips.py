"""What nsc loses, what is odd about JWTs and where they lie: it comes in, and is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from identities.claims import nsc_slips
from identities.claims.account import AccountBody
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT
from identities.claims.permissions import Permission as Rules
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.models import Account, IssuedToken, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import signing
from tests import elsewhere, nscfiles
from tests.brought import FREE, UNLIMITED, bring, imported, newer, said
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(db: None) -> Elsewhere:
    return elsewhere.beside_ours()


class TestSlips:
    def test_what_nsc_edit_account_allows_again_is_told(self, there: Elsewhere) -> None:
        limits = replace(UNLIMITED, wildcards=False, exports=5, disallow_bearer=True)
        bring(there.operator_jwt(), there.account_jwt(limits=limits))
        report = bring(newer(there, AccountBody(limits=replace(UNLIMITED, exports=5))))
        assert {nsc_slips.WILDCARDS, nsc_slips.BEARER} <= set(said(report, "warning"))

    def test_what_nsc_edit_export_drops_is_told(self, there: Elsewhere) -> None:
        export = Export(
            subject="a.*.b", type="service", account_token_position=2, advertise=True, response_type="Stream"
        )
        bring(there.operator_jwt(), there.account_jwt(exports=(export,)))
        bare = AccountBody(limits=UNLIMITED, exports=(Export(subject="a.*.b", type="service"),))
        report = bring(newer(there, bare))
        assert any("lost account_token_position, advertise, response_type" in words for words in said(report))

    def test_an_account_that_nsc_edited_is_told(self, there: Elsewhere) -> None:
        limits = replace(UNLIMITED, streams=NO_LIMIT, consumer=NO_LIMIT, max_ack_pending=NO_LIMIT)
        report = bring(there.operator_jwt(), there.account_jwt(limits=limits))
        assert nsc_slips.EDITED in said(report, "info")

    def test_a_role_that_was_perhaps_an_accident_is_told(self, there: Elsewhere) -> None:
        signer = KeyPair.create(KeyKind.OPERATOR)
        pairs = sorted((KeyPair.create(KeyKind.ACCOUNT) for _ in range(2)), key=lambda pair: pair.public.text)
        keys = (
            SigningKey(kind=USER_SCOPE, key=pairs[0].public.text, role="reader", template=FREE),
            SigningKey(key=pairs[1].public.text),
        )
        operator = there.operator_jwt(strict_signing_key_usage=True, signing_keys=(signer.public.text,))
        account = there.account_jwt(by=signer, signing_keys=keys)
        issued = there.user_jwt(
            by=pairs[0], issuer_account=there.account.public.text, limits=UserPermissionLimits()
        )
        report = bring(operator, account, issued)
        assert any(
            "has the role “reader”, whose key is the first" in words for words in said(report, "warning")
        )

    def test_bad_subjects_and_names_come_in_and_are_told(self, there: Elsewhere) -> None:
        limits = replace(FREE, pub=Rules(allow=("a.>.b",)), sub=Rules(allow=(".bad",)))
        report = bring(there.operator_jwt(), there.account_jwt(name=".."), there.user_jwt(limits=limits))
        words = " ".join(said(report))
        assert "a.>.b" in words
        assert ".bad" in words
        assert "“..” means a folder to nsc" in words
        assert Account.objects.get().name == ".."

    def test_imports_that_go_round_in_circles_are_told(self, there: Elsewhere) -> None:
        other = KeyPair.create(KeyKind.ACCOUNT)

        def shares(name: str, of: KeyPair, source: KeyPair) -> str:
            return there.account_jwt(
                name=name,
                of=of,
                exports=(Export(subject="x.>", type="stream"),),
                imports=(Import(subject="x.>", account=source.public.text, type="stream"),),
            )

        texts = [shares("A", there.account, other), shares("B", other, there.account)]
        report = bring(there.operator_jwt(), *texts)
        assert any("leads back to where it came from" in words for words in said(report, "warning"))


def test_a_store_with_an_account_named_by_dots_is_read_from_where_nsc_put_it(
    there: Elsewhere, tmp_path: Path
) -> None:
    files = {"...jwt": there.account_jwt(name=".."), "users/u.jwt": there.user_jwt(name="u")}
    report = imported(nscfiles.collected(nscfiles.store(tmp_path / "stores", there, files)))
    assert (Account.objects.get().name, User.objects.get().name) == ("..", "u")
    assert not said(report, "left")


def test_a_managed_operator_is_told_as_one(there: Elsewhere, tmp_path: Path) -> None:
    root = nscfiles.store(tmp_path / "stores", there, {})
    (root / "Op" / ".nsc").write_text('{"managed":true,"name":"Op","kind":"operator","version":"1"}')
    assert any("is a managed operator" in words for words in said(imported(nscfiles.collected(root)), "info"))


def test_a_pack_gives_accounts_under_their_keys(there: Elsewhere) -> None:
    bring(there.operator_jwt())
    key = there.account.public.text
    bring(f"{key}|{there.account_jwt()}")
    assert Account.objects.get().public_key == key
    other = KeyPair.create(KeyKind.ACCOUNT)
    report = bring(f"{key}|{there.account_jwt(name='Other', of=other)}")
    assert any(f"puts the JWT of {other.public.text} beside the key {key}" in words for words in said(report))


def test_a_bearer_jwt_is_sealed_and_nowhere_in_the_report(there: Elsewhere) -> None:
    text = there.user_jwt(limits=replace(FREE, bearer_token=True))
    report = bring(there.operator_jwt(), there.account_jwt(), text)
    user = User.objects.select_related("token").get()
    assert user.bearer
    assert user.token is not None
    assert (user.token.text, user.token.sealed is not None) == ("", True)
    with signing.token_text(user.token) as opened:
        assert opened == text
    assert text not in str(report)
    assert not IssuedToken.objects.filter(text=text).exists()
