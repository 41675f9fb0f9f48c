"""What belongs to nobody known, was deleted here or is out of reach: left out, told, signed anew only when asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.models import Account, AuditEvent, Key, Operator, Purpose, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.services import accounts, importing, operators, users
from identities.services import keys as key_services
from tests import elsewhere, make, nscfiles, rows
from tests.brought import WHO, all_three, bring, imported, said
from tests.elsewhere import OLD, Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(db: None) -> Elsewhere:
    return elsewhere.beside_ours()


class TestStrangers:
    def test_an_account_of_nobody_known_is_left_out_until_an_operator_is_chosen(
        self, there: Elsewhere
    ) -> None:
        bring(there.operator_jwt())
        stranger = KeyPair.create(KeyKind.OPERATOR)
        for signer, words in ((there.account, "It is self-signed"), (stranger, "It is signed by")):
            assert words in said(bring(there.account_jwt(by=signer)), "left")[0]
        report = bring(there.account_jwt(by=there.account), under="Op")
        assert "self-signed, not signed by operator “Op”" in said(report, "error")
        assert Account.objects.get().issuer == there.account.public.text
        assert "self-signed" in AuditEvent.objects.latest("seq").summary

    def test_one_in_an_operator_s_folder_belongs_to_it(self, there: Elsewhere, tmp_path: Path) -> None:
        text = there.account_jwt(by=there.account)
        root = nscfiles.store(tmp_path / "stores", there, {"accounts/Acc/Acc.jwt": text})
        report = imported(nscfiles.collected(root))
        assert Account.objects.get().operator.name == "Op"
        assert [one["name"] for one in report["foreign"]] == ["Acc"]

    @pytest.mark.parametrize("resign", ["one", "all"])
    def test_it_is_signed_anew_only_when_that_is_asked(
        self, there: Elsewhere, resign: str, tmp_path: Path
    ) -> None:
        text = there.account_jwt(by=there.account)
        root = nscfiles.store(tmp_path / "stores", there, {"accounts/Acc/Acc.jwt": text})
        keys = nscfiles.keystore(tmp_path / "keys", {there.operator.public.text: there.operator.seed()})
        wanted = frozenset({"*"} if resign == "all" else {there.account.public.text})
        imported(nscfiles.collected(root, keys), resign=wanted)
        row = Account.objects.get()
        assert row.token is not None
        assert row.token.replaces is not None
        assert (row.issuer, row.token.origin, row.token.replaces.text) == (
            there.operator.public.text, "signed", text,
        )  # fmt: skip
        token = codec.decode(row.token.text)
        assert token.claims.iat == row.last_iat > OLD
        assert token.claims.nats == codec.decode(text).claims.nats
        assert "signed anew by the operator" in AuditEvent.objects.latest("seq").summary
        assert imported(nscfiles.collected(root, keys), resign=wanted)["counts"]["account"] == {"older": 1}

    def test_without_a_seed_it_can_t_be_and_that_is_said(self, there: Elsewhere, tmp_path: Path) -> None:
        text = there.account_jwt(by=there.account)
        root = nscfiles.store(tmp_path / "stores", there, {"accounts/Acc/Acc.jwt": text})
        report = imported(nscfiles.collected(root), resign=frozenset({"*"}))
        assert any("no key of its operator that may do so" in words for words in said(report, "error"))
        assert Account.objects.get().issuer == there.account.public.text

    def test_creds_of_an_account_here_bring_their_user(self, there: Elsewhere) -> None:
        bring(there.operator_jwt(), there.account_jwt())
        report = bring(there.user_jwt(), seeds=(there.user,))
        user = User.objects.get()
        assert (user.has_seed, user.account.name, user.account.user_count) == (True, "Acc", 1)
        assert report["counts"]["user"] == {"new": 1}

    def test_a_seed_of_nobody_is_left_out_and_told_by_its_public_key(self, there: Elsewhere) -> None:
        stranger = KeyPair.create(KeyKind.USER)
        report = bring(*all_three(there), seeds=(stranger,))
        assert report["seeds"]["strangers"] == [stranger.public.text]
        assert not Key.objects.filter(public_key=stranger.public.text).exists()
        assert stranger.seed().reveal().decode() not in str(report)

    def test_what_was_deleted_here_does_not_come_back(self, there: Elsewhere) -> None:
        bring(*all_three(there), seeds=(there.operator, there.account))
        user = User.objects.select_related("account__operator").get()
        users.delete(**WHO, user=user, version=user.version, revoke=False)
        assert "belonged to the deleted user “U”" in said(bring(there.user_jwt()), "left")[0]
        account = Account.objects.get()
        accounts.delete(**WHO, account=account, version=account.version)
        report = bring(there.account_jwt(), there.user_jwt())
        assert any("belonged to the deleted account “Acc”" in words for words in said(report, "left"))
        assert not Account.objects.live().exists()

    def test_a_deleted_operator_comes_back_and_goes_on_rising(self, there: Elsewhere) -> None:
        bring(*all_three(there), seeds=(there.operator,))
        row = Operator.objects.get()
        edit = operators.OperatorEdit(name="Edited")
        edited = operators.update(**WHO, operator=row, edit=edit, version=row.version)
        operators.delete(**WHO, operator=edited, version=edited.version)
        report = bring(*all_three(there))
        assert report["counts"]["operator"] == {"new": 1}
        assert Operator.objects.live().get().last_iat == edited.last_iat > OLD

    def test_a_key_of_another_account_keeps_an_account_out(self, there: Elsewhere) -> None:
        shared = KeyPair.create(KeyKind.ACCOUNT)
        keys = (SigningKey(key=shared.public.text),)
        bring(there.operator_jwt(), there.account_jwt(signing_keys=keys))
        second = KeyPair.create(KeyKind.ACCOUNT)
        text = there.account_jwt(name="Second", of=second, signing_keys=keys)
        assert "is already one of “Acc”" in said(bring(text), "left")[0]
        fresh = Elsewhere()
        report = bring(
            fresh.operator_jwt(name="Op2"),
            fresh.account_jwt(name="S", signing_keys=keys, of=second),
            fresh.account_jwt(name="T", signing_keys=keys, of=KeyPair.create(KeyKind.ACCOUNT)),
        )
        assert any("of another account that comes along" in words for words in said(report, "left"))

    def test_a_key_made_ahead_here_gives_its_seed_to_whoever_has_it(self, there: Elsewhere) -> None:
        bring(there.operator_jwt(), there.account_jwt())
        operator = Operator.objects.get()
        spare = key_services.generate(**WHO, operator=operator, kind=KeyKind.USER)
        claims = Claims(nats=UserBody(), sub=spare.public_key, name="ahead")
        bring(codec.encode(claims, there.account, OLD).text)
        user = User.objects.get()
        assert user.has_seed
        key = Key.objects.get(public_key=spare.public_key, deleted_at=None)
        assert (key.purpose, key.user, key.sealed is not None) == (Purpose.IDENTITY, user, True)


class TestRights:
    def test_whoever_may_only_look_imports_nothing(self, there: Elsewhere) -> None:
        with pytest.raises(Forbidden):
            importing.perform(
                principal=make.principal("viewer"), collected=nscfiles.texts(there.operator_jwt())
            )

    def test_an_operator_s_administrator_imports_below_it_alone(self, there: Elsewhere) -> None:
        bring(there.operator_jwt())
        mine = make.principal("administrator", operator=Operator.objects.get())
        other = Elsewhere()
        texts = [there.account_jwt(), there.user_jwt(), other.operator_jwt(name="Other"), other.account_jwt()]
        report = importing.perform(principal=mine, collected=nscfiles.texts(*texts))
        assert [row.name for row in Account.objects.all()] == ["Acc"]
        assert any("needs the role owner" in words for words in said(report, "left"))
        assert Operator.objects.count() == 1

    @pytest.mark.parametrize("seen", [True, False])
    def test_users_of_an_account_here_come_in_for_its_operator_s_administrators_alone(
        self, there: Elsewhere, seen: bool
    ) -> None:
        bring(there.operator_jwt(name="Hidden"), there.account_jwt(name="Vault"), there.user_jwt(name="Ann"))
        other = make.principal("administrator", operator=make.operator())
        if seen:
            held = make.principal("administrator", account=Account.objects.get(name="Vault"))
            other = replace(other, roles=(*other.roles, *held.roles))
        stranger = KeyPair.create(KeyKind.USER)
        before = rows.everything(set())
        newer_one = codec.encode(
            Claims(nats=UserBody(), sub=there.user.public.text, name="Bob"), there.account, OLD + 60
        )
        texts = [there.user_jwt(name="Eve", of=stranger), newer_one.text]
        report = importing.perform(principal=other, collected=nscfiles.texts(*texts))
        assert rows.everything(set()) == before
        assert report["nothing"]
        told = json.dumps(report)
        if not seen:
            assert "Hidden" not in told
            assert "Vault" not in told
            assert "Ann" not in told

    def test_of_an_operator_out_of_sight_an_import_tells_nothing(self, there: Elsewhere) -> None:
        bring(there.operator_jwt(name="Hidden"), there.account_jwt(name="Vault"))
        account = Account.objects.get(name="Vault")
        Account.objects.filter(pk=account.pk).update(name="Renamed", name_fold="renamed")
        mine = make.principal("administrator", operator=make.operator("Mine"))
        forger = KeyPair.create(KeyKind.OPERATOR)
        for text in (
            there.account_jwt(name="Vault"),
            there.account_jwt(name="Vault", by=there.account),
            there.account_jwt(name="Vault", by=forger),
            there.operator_jwt(name="Hidden2"),
        ):
            told = json.dumps(importing.plan(principal=mine, collected=nscfiles.texts(text)))
            assert "Hidden”" not in told
            assert '"Hidden"' not in told
            assert "Renamed" not in told
