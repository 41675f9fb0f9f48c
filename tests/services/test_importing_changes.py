"""What is here already: newer JWTs are taken, older ones left, names that are taken asked, strangers told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identities.claims import codec, nsc_slips
from identities.claims.account import AccountBody, ExternalAuthorization
from identities.claims.common import Claims
from identities.claims.drafts import AccountEdit, UserEdit
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission as Rules
from identities.claims.permissions import Permissions, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, Permission, Purpose, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.services import (
    accounts,
    changes,
    import_plans,
    importing,
    operators,
    signing,
    suspensions,
    users,
)
from identities.services import keys as key_services
from identities.services.import_items import Choices
from identities.services.import_reading import Collected
from tests import make, nscfiles, rows
from tests.elsewhere import OLD, Elsewhere

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}
Report = dict[str, Any]
UNLIMITED = OperatorLimits.unlimited()
FREE = UserPermissionLimits.unlimited()


@pytest.fixture
def there(db: None) -> Elsewhere:
    make.installation()
    return Elsewhere()


def bring(*jwts: str, seeds: tuple[KeyPair, ...] = (), **choices: Any) -> Report:
    return imported(nscfiles.texts(*jwts, seeds=seeds), **choices)


def imported(collected: Collected, **choices: Any) -> Report:
    return importing.perform(**WHO, collected=collected, choices=Choices(**choices))


def said(report: Report, *tones: str) -> list[str]:
    return [note["message"] for note in report["notes"] if not tones or note["tone"] in tones]


def signed(body: Any, of: KeyPair, by: KeyPair, name: str, at: int) -> str:
    return codec.encode(Claims(nats=body, sub=of.public.text, name=name), by, at).text


def newer(there: Elsewhere, body: Any, at: int = OLD + 100, *, name: str = "") -> str:
    """A later JWT of the operator, account or user made elsewhere."""
    if isinstance(body, OperatorBody):
        return signed(body, there.operator, there.operator, name or "Op", at)
    if isinstance(body, AccountBody):
        return signed(body, there.account, there.operator, name or "Acc", at)
    return signed(body, there.user, there.account, name or "U", at)


def all_three(there: Elsewhere) -> list[str]:
    return [there.operator_jwt(), there.account_jwt(), there.user_jwt()]


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
