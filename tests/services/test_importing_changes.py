"""What is here already: newer JWTs are taken, older ones left, names that are taken asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody, ExternalAuthorization
from identities.claims.drafts import AccountEdit, UserEdit
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission as Rules
from identities.claims.permissions import Permissions
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, Key, Operator, Permission, Purpose, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import accounts, changes, import_plans, importing, operators, suspensions, users
from tests import elsewhere, nscfiles, rows
from tests.brought import FREE, UNLIMITED, WHO, all_three, bring, newer, said, signed
from tests.elsewhere import OLD, Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(db: None) -> Elsewhere:
    return elsewhere.beside_ours()


class TestNewer:
    def test_a_newer_jwt_of_each_kind_is_taken_over_to_the_byte(self, there: Elsewhere) -> None:
        bring(*all_three(there))
        fresh = [
            newer(there, OperatorBody(tags=("new",))),
            newer(there, AccountBody(limits=UNLIMITED, description="new")),
            newer(there, UserBody(tags=("new",))),
        ]
        report = bring(*fresh)
        held: list[Any] = [Operator.objects.get(), Account.objects.get(), User.objects.get()]
        for row, text in zip(held, fresh, strict=True):
            assert row.token.text == text
            assert (row.version, row.last_iat, row.claims) == (2, OLD + 100, codec.decode(text).payload)
            assert row.token.origin == "imported"
            assert row.token.replaces is not None
            assert row.token.replaces.subject == row.public_key
        assert Account.objects.get().description == "new"
        assert [one["diff"] for one in report["changed"]] == [
            [("nats.tags", "", "new")],
            [("nats.description", "", "new")],
            [("nats.tags", "", "new")],
        ]
        assert bring(*fresh)["nothing"]

    def test_an_older_one_is_left_and_told(self, there: Elsewhere) -> None:
        fresh = newer(there, UserBody(tags=("new",)))
        bring(there.operator_jwt(), there.account_jwt(), fresh)
        before = rows.everything()
        report = bring(there.user_jwt())
        assert rows.everything() == before
        assert report["counts"]["user"] == {"older": 1}
        assert said(report, "info") == ["is older than the one here, which stays"]

    def test_of_two_that_come_along_the_newer_one_is_taken(self, there: Elsewhere) -> None:
        fresh = newer(there, UserBody(tags=("new",)))
        for order in ([there.user_jwt(), fresh], [fresh, there.user_jwt()]):
            collected = nscfiles.texts(*order)
            assert collected.users[there.user.public.text].text == fresh
            (note,) = collected.notes
            assert "an older JWT is passed over" in note.message

    def test_two_of_the_same_second_with_other_contents_do_not_replace_each_other(
        self, there: Elsewhere
    ) -> None:
        bring(*all_three(there))
        report = bring(newer(there, UserBody(tags=("other",)), OLD))
        assert User.objects.get().version == 1
        assert said(report) == ["was issued in the same second as the one here, which stays"]

    def test_an_edit_made_here_is_newer_than_what_it_was_made_from(self, there: Elsewhere) -> None:
        bring(*all_three(there), seeds=(there.operator, there.account, there.user))
        account = Account.objects.get()
        edit = AccountEdit(name="Acc", description="edited here")
        accounts.update(**WHO, account=account, edit=edit, version=1)
        report = bring(*all_three(there), newer(there, AccountBody(limits=UNLIMITED, description="there")))
        assert report["counts"]["account"] == {"older": 1}
        assert Account.objects.get().description == "edited here"

    def test_permissions_roles_and_keys_follow_the_newer_jwt(self, there: Elsewhere) -> None:
        plain, role, curve = (
            KeyPair.create(kind) for kind in (KeyKind.ACCOUNT, KeyKind.ACCOUNT, KeyKind.CURVE)
        )
        keys = (SigningKey(key=plain.public.text), SigningKey(key=role.public.text))
        first = there.account_jwt(
            signing_keys=keys, default_permissions=Permissions(pub=Rules(allow=("old.>",)))
        )
        bring(
            there.operator_jwt(), first, there.user_jwt(limits=replace(FREE, sub=Rules(allow=("old.a q",))))
        )
        template = replace(FREE, pub=Rules(deny=("role.>",)))
        body = AccountBody(
            limits=UNLIMITED,
            signing_keys=(SigningKey(kind=USER_SCOPE, key=role.public.text, role="r", template=template),),
            default_permissions=Permissions(sub=Rules(allow=("new.>",))),
            authorization=ExternalAuthorization(auth_users=(there.user.public.text,), xkey=curve.public.text),
        )
        user = newer(there, UserBody(limits=replace(FREE, pub=Rules(allow=("new.a", "new.b")))))
        bring(newer(there, body), user, seeds=(role, curve))
        live = {
            key.public_key: key for key in Key.objects.filter(account=Account.objects.get(), deleted_at=None)
        }
        assert {key: (row.purpose, row.role, row.sealed is not None) for key, row in live.items()} == {
            there.account.public.text: (Purpose.IDENTITY, "", False),
            there.user.public.text: (Purpose.IDENTITY, "", False),
            role.public.text: (Purpose.ROLE, "r", True),
            curve.public.text: (Purpose.CURVE, "", True),
        }
        assert Key.objects.get(public_key=plain.public.text).deleted_at is not None
        found = Permission.objects.values_list(
            "user__name", "key__role", "direction", "effect", "pattern__text"
        )
        assert set(found) == {
            (None, None, "sub", "allow", "new.>"),
            (None, "r", "pub", "deny", "role.>"),
            ("U", None, "pub", "allow", "new.a"),
            ("U", None, "pub", "allow", "new.b"),
        }

    def test_an_operator_s_new_signing_key_comes_and_an_old_one_goes(self, there: Elsewhere) -> None:
        old, new = KeyPair.create(KeyKind.OPERATOR), KeyPair.create(KeyKind.OPERATOR)
        bring(there.operator_jwt(signing_keys=(old.public.text,)))
        bring(newer(there, OperatorBody(signing_keys=(new.public.text,))), seeds=(new,))
        live = Key.objects.filter(deleted_at=None).order_by("pk")
        assert [(key.public_key, key.purpose) for key in live] == [
            (there.operator.public.text, Purpose.IDENTITY),
            (new.public.text, Purpose.SIGNING),
        ]
        assert live[1].sealed is not None

    def test_a_suspended_user_stays_suspended(self, there: Elsewhere) -> None:
        bring(*all_three(there), seeds=(there.operator, there.account))
        user = User.objects.select_related("account__operator").get()
        suspensions.suspend(**WHO, user=user, version=user.version)
        report = bring(newer(there, UserBody(tags=("new",)), OLD + 10**9))
        assert report["nothing"]
        assert "is suspended here" in said(report, "warning")[0]
        freed = newer(there, AccountBody(limits=UNLIMITED), OLD + 10**9)
        report = bring(freed)
        assert report["nothing"]
        assert "is suspended, and its entry in the revocations keeps it out" in said(report, "warning")[0]


class TestNames:
    def test_an_account_whose_name_is_taken_comes_in_under_another_one_only(self, there: Elsewhere) -> None:
        bring(*all_three(there))
        other = KeyPair.create(KeyKind.ACCOUNT)
        text = there.account_jwt(name="ACC", of=other)
        before = rows.everything()
        report = bring(text)
        assert rows.everything() == before
        assert [(one["kind"], one["key"], one["name"]) for one in report["asks"]] == [
            ("account", other.public.text, "ACC")
        ]
        report = bring(text, renames={other.public.text: "Acc-2"})
        row = Account.objects.get(public_key=other.public.text)
        assert (row.name, row.token and row.token.text) == ("Acc-2", text)
        assert codec.from_payload(row.claims).name == "ACC"
        assert bring(text)["nothing"]

    @pytest.mark.parametrize("name", ["Acc", "acc", "a/b", "..", " x"])
    def test_another_name_that_can_t_be_one_is_asked_again(self, there: Elsewhere, name: str) -> None:
        bring(*all_three(there))
        other = KeyPair.create(KeyKind.ACCOUNT)
        report = bring(there.account_jwt(name="ACC", of=other), renames={other.public.text: name})
        assert len(report["asks"]) == 1
        assert Account.objects.count() == 1

    def test_two_that_come_along_with_one_name_are_asked(self, there: Elsewhere) -> None:
        second = KeyPair.create(KeyKind.USER)
        texts = [*all_three(there), there.user_jwt(of=second)]
        report = bring(*texts)
        assert report["counts"]["user"] == {"new": 1, "ask": 1}
        bring(*texts, renames={second.public.text: "V"})
        assert sorted(User.objects.values_list("name", flat=True)) == ["U", "V"]
        assert Account.objects.get().user_count == 2

    def test_the_next_edit_puts_the_name_into_the_jwt(self, there: Elsewhere) -> None:
        bring(*all_three(there))
        account, user = KeyPair.create(KeyKind.ACCOUNT), KeyPair.create(KeyKind.USER)
        bring(
            there.account_jwt(of=account),
            there.user_jwt(of=user),
            seeds=(there.operator, there.account, account),
            renames={account.public.text: "Acc-2", user.public.text: "U-2"},
        )
        row = Account.objects.get(name="Acc-2")
        edit = AccountEdit(name="Acc-2", description="edited")
        saved = accounts.update(**WHO, account=row, edit=edit, version=row.version)
        assert codec.from_payload(saved.claims).name == saved.name == "Acc-2"
        renamed = User.objects.get(name="U-2")
        saved_user = users.update(
            **WHO, user=renamed, edit=UserEdit(name="U-2", tags=("x",)), version=renamed.version
        )
        assert codec.from_payload(saved_user.claims).name == saved_user.name == "U-2"

    def test_a_newer_jwt_keeps_the_name_that_was_given_here(self, there: Elsewhere) -> None:
        bring(*all_three(there))
        other = KeyPair.create(KeyKind.ACCOUNT)
        bring(there.account_jwt(of=other), renames={other.public.text: "Mine"})
        body = AccountBody(limits=UNLIMITED, description="new")
        bring(signed(body, other, there.operator, "Acc", OLD + 5))
        row = Account.objects.get(public_key=other.public.text)
        assert (row.name, row.description) == ("Mine", "new")
        bring(signed(body, other, there.operator, "Theirs", OLD + 9))
        assert Account.objects.get(public_key=other.public.text).name == "Theirs"

    def test_an_operator_s_name_is_asked_and_its_accounts_wait(self, there: Elsewhere) -> None:
        bring(*all_three(there))
        other = Elsewhere()
        report = bring(*all_three(other))
        assert report["counts"]["account"] == {"left": 1}
        assert Operator.objects.count() == 1
        bring(*all_three(other), renames={other.operator.public.text: "Op-2"}, seeds=(other.operator,))
        second = Operator.objects.get(name="Op-2")
        assert Account.objects.get(operator=second).name == "Acc"
        saved = operators.update(
            **WHO, operator=second, edit=operators.OperatorEdit(name="Op-2", tags=("t",)), version=1
        )
        assert codec.from_payload(saved.claims).name == "Op-2"


def test_what_changes_here_meanwhile_is_planned_anew(
    there: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(*all_three(there), seeds=(there.operator,))
    plans = []
    plan = import_plans.plan

    def meanwhile(**wanted: Any) -> Any:
        made = plan(**wanted)
        plans.append(made)
        if len(plans) == 1:
            account = Account.objects.get()
            edit = AccountEdit(name="Renamed", description="meanwhile")
            accounts.update(**WHO, account=account, edit=edit, version=account.version)
        return made

    monkeypatch.setattr(import_plans, "plan", meanwhile)
    other = there.account_jwt(name="renamed", of=KeyPair.create(KeyKind.ACCOUNT))
    report = bring(other)
    assert len(plans) == 2
    assert len(report["asks"]) == 1
    assert [row.name for row in Account.objects.all()] == ["Renamed"]


def test_what_changes_here_all_the_time_is_given_up(
    there: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(*all_three(there), seeds=(there.operator,))
    monkeypatch.setattr(importing, "_still_so", lambda made: False)
    before = rows.everything()
    with pytest.raises(IdentityError, match="Others went on changing"):
        bring(newer(there, UserBody(tags=("x",))))
    assert rows.everything() == before


def test_a_name_given_here_is_the_claims_own_from_then_on(there: Elsewhere) -> None:
    bring(there.operator_jwt(), there.account_jwt(name=""))
    row = Account.objects.get()
    assert (row.name, changes.claims_of(row).name) == (there.account.public.text, "")
