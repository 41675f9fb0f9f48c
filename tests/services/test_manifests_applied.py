"""What applying a manifest does: in order, whole or not at all, never twice, and nothing that it does not say."""

from __future__ import annotations

from typing import Any

import pytest

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.formats.yaml_nodes import UnreadableManifest
from identities.models import Account, AuditEvent, IssuedToken, Key, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Role
from identities.services import (
    accounts,
    audit,
    changes,
    manifests,
    proposals,
    proposing,
    signing_keys,
    suspensions,
)
from identities.services.manifest_plans import Fate, ManifestRefused, ManifestStale, Plan
from tests import make

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}
SHARING = """\
operator: {name: acme}
accounts:
  - name: shop
    imports:
      - {subject: orders.>, type: stream, account: Orders, local_subject: theirs.>}
      - {subject: orders.api, type: service, account: orders}
    users: [{name: till}]
  - name: orders
    description: All orders
    limits: {conn: 100, disk_storage: 1GiB}
    default_permissions: {pub: {allow: [orders.>]}}
    mappings:
      a: [{subject: b, weight: 40}, {subject: c, weight: 60}]
    authorization: {auth_users: [door], allowed_accounts: [shop]}
    signing_keys:
      - plain
      - role: worker
        template: {pub: {allow: ["orders.{{name()}}"]}, subs: 5}
    exports:
      - {subject: orders.>, type: stream}
      - {subject: orders.api, type: service, token_req: true}
    users:
      - {name: door}
      - {name: alice, role: worker, tags: [shift:day]}
      - {name: bob, pub: {allow: [orders.bob]}, exp: 2040-01-01}
"""


@pytest.fixture
def acme() -> Operator:
    return make.operator("acme")


def apply(operator: Operator, text: str, **options: Any) -> Plan:
    done = manifests.apply(**{**WHO, **options}, operator=operator, data=text)
    operator.refresh_from_db()
    return done


def account(operator: Operator, name: str) -> Account:
    row: Account = Account.objects.live().select_related("operator").get(operator=operator, name=name)
    return row


def body(operator: Operator, name: str) -> Any:
    return changes.claims_of(account(operator, name)).nats


def user(operator: Operator, name: str) -> User:
    row: User = User.objects.live().select_related("account__operator").get(operator=operator, name=name)
    return row


def fates(plan: Plan) -> dict[str, str]:
    return {one.name: one.fate.value for one in plan.edits}


def of(plan: Plan, name: str) -> Any:
    return next(one for one in plan.objects if one.name == name)


def test_imports_find_exports_and_callout_finds_users_whatever_the_order(acme: Operator) -> None:
    done = apply(acme, SHARING)
    assert fates(done) == dict.fromkeys(("shop", "orders", "till", "door", "alice", "bob"), "create")
    orders, shop = account(acme, "orders"), account(acme, "shop")
    assert [(one.account, one.subject) for one in body(acme, "shop").imports] == [
        (orders.public_key, "orders.>"),
        (orders.public_key, "orders.api"),
    ]
    assert body(acme, "shop").imports[1].token, "the private export asks for a token, and it was issued"
    held = body(acme, "orders")
    assert held.authorization.auth_users == (user(acme, "door").public_key,)
    assert held.authorization.allowed_accounts == (shop.public_key,)
    role = next(one for one in held.signing_keys if one.is_scoped)
    assert user(acme, "alice").issuer == role.key
    assert changes.claims_of(user(acme, "bob")).nats.limits.pub == Permission(allow=("orders.bob",))
    assert (orders.user_count, shop.user_count, orders.jetstream) == (3, 1, True)
    assert Key.objects.filter(account=orders, purpose="role", role="worker", sealed__isnull=False).exists()


def test_a_second_time_nothing_is_signed_or_written(acme: Operator) -> None:
    apply(acme, SHARING)
    before = (IssuedToken.objects.count(), AuditEvent.objects.count(), Key.objects.count())
    again = apply(acme, SHARING, prune=True)
    assert again.is_empty
    assert (IssuedToken.objects.count(), AuditEvent.objects.count(), Key.objects.count()) == before
    assert of(again, "SYS").fate is Fate.SURPLUS, "the system account is never deleted"


def test_each_account_is_signed_once_before_its_imports_and_once_for_them(acme: Operator) -> None:
    apply(acme, SHARING)
    signed = {
        name: IssuedToken.objects.filter(subject=account(acme, name).public_key, kind="account").count()
        for name in ("shop", "orders")
    }
    assert signed == {"shop": 2, "orders": 2}
    apply(acme, SHARING.replace("All orders", "Every order").replace("conn: 100", "conn: 50"))
    assert IssuedToken.objects.filter(subject=account(acme, "orders").public_key).count() == 3


def test_a_plan_tells_what_would_be_and_changes_nothing(acme: Operator) -> None:
    before = (IssuedToken.objects.count(), AuditEvent.objects.count(), Key.objects.count())
    plan = manifests.plan(**WHO, operator=acme, data=SHARING)
    assert (IssuedToken.objects.count(), AuditEvent.objects.count(), Key.objects.count()) == before
    assert not Account.objects.filter(name="shop").exists()
    told = {field.path: field.after for one in plan.objects for field in one.diff}
    assert told["nats.description"] == "All orders"
    assert told["nats.limits.conn"] == "100"
    assert "iss" not in told and "sub" not in told, "keys that are made differ each time"
    text = " ".join(f"{path} {after}" for path, after in told.items())
    assert "the new account “orders”" in text
    assert "an activation token, issued when this is applied" in text
    assert "a new key for “worker”" in text
    assert fates(apply(acme, SHARING, token=plan.token)) == fates(plan)


def test_an_edit_of_an_imported_jwt_changes_its_fields_alone(acme: Operator) -> None:
    apply(acme, SHARING)
    row = account(acme, "orders")
    odd = row.claims.replace('"description"', '"x-unknown":{"a":[1]},"description"').replace(
        '"conn":100', '"conn":100,"x-limit":7'
    )
    Account.objects.filter(pk=row.pk).update(claims=odd)
    assert apply(acme, SHARING).is_empty
    done = apply(acme, SHARING.replace("conn: 100", "conn: 99"))
    assert [field.path for field in of(done, "orders").diff] == ["nats.limits.conn"]
    text = account(acme, "orders").claims
    assert '"x-unknown":{"a":[1]}' in text and '"x-limit":7' in text and '"conn":99' in text


def test_what_is_not_written_stays(acme: Operator) -> None:
    apply(acme, SHARING)
    assert apply(acme, "operator: {name: acme}\naccounts: [{name: orders}]").is_empty
    done = apply(acme, "operator: {name: ACME}\naccounts: [{name: orders, tags: [a:b]}]")
    assert fates(done) == {"ACME": "change", "orders": "change"}
    held = body(acme, "orders")
    assert (held.tags, held.description, held.limits.conn, len(held.exports)) == (
        ("a:b",),
        "All orders",
        100,
        2,
    )


def test_only_prune_deletes_and_says_what_it_would(acme: Operator) -> None:
    apply(acme, SHARING)
    less = """\
operator: {name: acme}
accounts:
  - name: orders
    exports: [{subject: orders.>, type: stream}]
    mappings: {}
    signing_keys: [plain]
    authorization: {}
    users: [{name: door}, {name: alice, role: ''}]
"""
    kept = manifests.plan(**WHO, operator=acme, data=less)
    assert fates(kept) == {"orders": "change", "alice": "change"}
    assert {one.name for one in kept.surplus} == {"bob", "shop", "SYS"}
    assert "left as it is: export orders.api" in " ".join(of(kept, "orders").notes)
    bob, shop, alice = user(acme, "bob"), account(acme, "shop"), user(acme, "alice")
    done = apply(acme, less, prune=True)
    assert fates(done) == {"orders": "change", "alice": "change", "bob": "delete", "shop": "delete"}
    held = body(acme, "orders")
    assert ([one.subject for one in held.exports], held.mappings) == (["orders.>"], {})
    assert [one.is_scoped for one in held.signing_keys] == [False]
    assert held.revocations[bob.public_key] >= bob.last_iat
    assert Account.objects.get(pk=shop.pk).deleted_at is not None
    assert User.objects.get(pk=bob.pk).deleted_at is not None
    assert user(acme, "alice").issuer != alice.issuer
    assert account(acme, "orders").user_count == 2
    assert apply(acme, less, prune=True).is_empty, "and revocations of the deleted stay"


def test_nothing_of_the_system_account_is_pruned(acme: Operator) -> None:
    text = "operator: {name: acme}\naccounts: [{name: SYS, users: [], exports: [], signing_keys: []}]"
    plan = apply(acme, text, prune=True)
    assert plan.is_empty
    assert "account-monitoring" not in " ".join(of(plan, "SYS").notes)
    assert "export $SYS.ACCOUNT.*.>, $SYS.REQ.ACCOUNT.*.*" in " ".join(of(plan, "SYS").notes)


def test_a_key_makes_a_new_name_a_renaming(acme: Operator) -> None:
    apply(acme, SHARING)
    row = account(acme, "orders")
    keyed = manifests.text(make.COMMAND, acme, keys=True)
    renamed = keyed.replace("- name: orders\n", "- name: sales\n").replace(
        "account: orders", "account: sales"
    )
    done = apply(acme, renamed.replace("name: acme", "name: acme-2").replace("name: bob", "name: rob"))
    assert fates(done) == {"acme-2": "change", "sales": "change", "rob": "change"}
    assert account(acme, "sales").public_key == row.public_key
    with pytest.raises(ManifestRefused, match=r"Line 1: The manifest is of operator “acme”.* add “key: O"):
        apply(acme, SHARING)


def test_a_move_to_a_role_and_back(acme: Operator) -> None:
    apply(acme, SHARING)
    moved = SHARING.replace("{name: door}", "{name: door, role: worker}")
    done = apply(acme, moved)
    assert fates(done) == {"door": "change"}
    assert "the role “worker” alone says" in " ".join(of(done, "door").notes)
    assert user(acme, "door").issuer == user(acme, "alice").issuer
    back = SHARING.replace("{name: door}", "{name: door, role: '', pub: {allow: [x]}}")
    apply(acme, back)
    assert changes.claims_of(user(acme, "door")).nats.limits == UserPermissionLimits(
        pub=Permission(allow=("x",)), subs=-1, data=-1, payload=-1
    )
    assert apply(acme, back).is_empty


def test_a_plan_that_was_agreed_to_is_not_applied_to_something_else(acme: Operator) -> None:
    token = manifests.plan(**WHO, operator=acme, data=SHARING).token
    other = make.account(acme, "other")
    for text, prune in ((SHARING, False), (SHARING + " ", False), (SHARING, True)):
        with pytest.raises(ManifestStale, match="Look at the new plan"):
            apply(acme, text, token=token, prune=prune)
    token = manifests.plan(**WHO, operator=acme, data=SHARING).token
    make.user(other, "new")
    with pytest.raises(ManifestStale):
        apply(acme, SHARING, token=token)
    apply(acme, SHARING, token=manifests.plan(**WHO, operator=acme, data=SHARING).token)


REFUSED = (
    (
        "account: Orders",
        "account: nowhere",
        5,
        "no account “nowhere” under “acme”, and the manifest makes none",
    ),
    ("role: worker, tags", "role: wroker, tags", 24, "no role “wroker”.*do you mean “worker”"),
    ("auth_users: [door]", "auth_users: [gate]", 14, "no user “gate”"),
    ("role: worker, tags: [shift:day]", "role: worker, pub: {allow: [a]}", 24, "alone says"),
    ("exp: 2040-01-01", "exp: 2001-01-01", 25, "in the past"),
    ("{subject: orders.>, type: stream}\n", "{subject: 'or ders.>', type: stream}\n", 20, "or ders"),
    ("conn: 100", "conn: -5", 10, "."),
    ("allow: [orders.bob]", "allow: [orders..bob]", 25, "orders..bob"),
    ("name: door}", "name: d/oor}", 23, "slash"),
    ("local_subject: theirs.>", "local_subject: theirs", 5, "need to end or not end in >"),
)


@pytest.mark.parametrize(("before", "after", "line", "words"), REFUSED)
def test_what_can_not_be_is_refused_with_its_line_and_nothing_is_done(
    acme: Operator, before: str, after: str, line: int, words: str
) -> None:
    assert before in SHARING
    tokens = IssuedToken.objects.count()
    for call in (manifests.plan, manifests.apply):
        with pytest.raises((ManifestRefused, UnreadableManifest), match=words) as caught:
            call(**WHO, operator=acme, data=SHARING.replace(before, after))
        assert f"Line {line}" in caught.value.user_message
    assert IssuedToken.objects.count() == tokens
    assert not Account.objects.filter(operator=acme, name="orders").exists()


def test_suspended_users_stay_out_and_stand_in_nobodys_way(acme: Operator) -> None:
    apply(acme, SHARING)
    suspensions.suspend(**WHO, user=user(acme, "bob"), version=user(acme, "bob").version)
    assert apply(acme, SHARING).is_empty
    with pytest.raises(ManifestRefused, match=r"User “bob” of “orders”: .*is suspended"):
        apply(acme, SHARING.replace("exp: 2040", "exp: 2041"))


def test_revocations_are_added_and_never_taken_back(acme: Operator) -> None:
    apply(acme, SHARING)
    bob = user(acme, "bob")
    accounts.revoke(**WHO, account=account(acme, "orders"), entries={bob.public_key: 5_000})
    early, late = (
        SHARING.replace(
            "    mappings:", f"    revocations: {{{bob.public_key}: {at}, '*': 7}}\n    mappings:"
        )
        for at in (4_000, 6_000)
    )
    apply(acme, early, prune=True)
    assert body(acme, "orders").revocations == {bob.public_key: 5_000, "*": 7}
    done = apply(acme, late)
    assert body(acme, "orders").revocations == {bob.public_key: 6_000, "*": 7}
    assert "creds that are covered stop working" in " ".join(of(done, "orders").notes)
    assert apply(
        acme, SHARING.replace("    mappings:", "    revocations: {}\n    mappings:"), prune=True
    ).is_empty


class TestWhoMay:
    def test_an_account_admin_applies_what_is_of_the_account(self, acme: Operator) -> None:
        apply(acme, SHARING)
        admin = make.principal(Role.ADMINISTRATOR, account=account(acme, "orders"))
        text = manifests.text(admin, acme)
        assert "name: shop" not in text and "name: orders" in text
        edited = text.replace("All orders", "Ours")
        assert fates(apply(acme, edited, principal=admin, prune=True)) == {"orders": "change"}
        assert body(acme, "orders").description == "Ours"
        assert account(acme, "shop").deleted_at is None

    def test_what_the_operator_grants_is_not_an_account_admins(self, acme: Operator) -> None:
        apply(acme, SHARING)
        admin = make.principal(Role.ADMINISTRATOR, account=account(acme, "orders"))
        text = manifests.text(admin, acme)
        for before, after in (
            ("conn: 100", "conn: 101"),
            ("name: acme", "name: acme\n  tags: [a:b]"),
            ("accounts:\n", "accounts:\n  - name: new\n"),
            ("    description: All orders\n", "    description: All orders\n    exp: 2040-01-01\n"),
        ):
            assert before in text
            with pytest.raises(decisions.Forbidden):
                apply(acme, text.replace(before, after, 1), principal=admin)

    def test_a_refusal_names_its_object_once(self, acme: Operator) -> None:
        apply(acme, SHARING)
        manager = make.principal(Role.USER_MANAGER, account=account(acme, "orders"))
        text = manifests.text(manager, acme).replace("signing_keys:", "signing_keys:\n      - role: more", 1)
        said = r"^Account “orders”: “Add, edit and remove an account's signing keys and roles” needs the role"
        with pytest.raises(decisions.Forbidden, match=said):
            apply(acme, text, principal=manager)

    def test_a_viewer_sees_that_nothing_differs_and_changes_nothing(self, acme: Operator) -> None:
        apply(acme, SHARING)
        viewer = make.principal(Role.VIEWER, operator=acme)
        assert manifests.plan(principal=viewer, operator=acme, data=SHARING).is_empty
        for call in (manifests.plan, manifests.apply):
            with pytest.raises(
                decisions.Forbidden,
                match=r"^User “bob” of “orders”: “Edit users and their permissions” needs the role",
            ):
                call(principal=viewer, operator=acme, data=SHARING.replace("exp: 2040", "exp: 2041"))


def test_the_audit_says_who_applied_what(acme: Operator) -> None:
    apply(acme, SHARING)
    last = AuditEvent.objects.order_by("-seq").first()
    assert last is not None
    assert last.action == Action.MANIFEST_APPLY
    assert last.summary == "Applied a manifest to operator “acme”: 6 created"
    apply(acme, SHARING.replace("conn: 100", "conn: 99").replace("exp: 2040", "exp: 2041"))
    events = [event.summary for event in AuditEvent.objects.order_by("seq")][-3:]
    assert events == [
        "Applied a manifest to account “orders”: nats.limits.conn",
        "Edited user “bob”: exp",
        "Applied a manifest to operator “acme”: 2 changed",
    ]
    assert audit.first_broken() is None


def test_roles_are_found_by_key_where_names_are_double(acme: Operator) -> None:
    row = make.account(acme, "a")
    for subject in ("x", "y"):
        template = UserPermissionLimits(pub=Permission(allow=(subject,)), subs=-1, data=-1, payload=-1)
        draft = SigningKeyDraft(role=RoleDraft(role="", template=template))
        signing_keys.add(**WHO, account=row, draft=draft, version=row.version)
        row.refresh_from_db()
    text = manifests.text(make.COMMAND, acme)
    assert apply(acme, text, prune=True).is_empty
    apply(acme, text.replace("- y\n", "- z\n"))
    assert sorted(one.template.pub.allow for one in body(acme, "a").signing_keys if one.is_scoped) == [
        ("x",),
        ("z",),
    ]


def test_a_plan_warns_of_imports_that_lose_their_export(acme: Operator) -> None:
    apply(acme, SHARING)
    moved = SHARING.replace("{subject: orders.>, type: stream}", "{subject: sales.>, type: stream}")
    plan = manifests.plan(**WHO, operator=acme, data=moved, prune=True)
    assert any("“shop” can no longer import orders.>" in note for note in of(plan, "orders").notes)
    both = moved.replace(
        "subject: orders.>, type: stream, account", "subject: sales.>, type: stream, account"
    )
    done = apply(acme, both, prune=True)
    assert not any("can no longer" in note for note in of(done, "orders").notes)
    assert [one.subject for one in body(acme, "shop").imports] == ["orders.api", "sales.>"]


def test_a_plan_warns_of_imports_that_nobody_exports(acme: Operator) -> None:
    plan = manifests.plan(
        **WHO,
        operator=acme,
        data=SHARING.replace("subject: orders.>, type: stream, a", "subject: ordres.>, type: stream, a"),
    )
    assert any("ordres.>" in note for note in of(plan, "shop").notes)


def test_the_system_account_may_be_a_new_one_and_never_has_jetstream(acme: Operator) -> None:
    with pytest.raises(ManifestRefused, match="has JetStream"):
        apply(acme, SHARING.replace("{name: acme}", "{name: acme, system_account: orders}"))
    old = acme.system_account
    done = apply(acme, SHARING.replace("{name: acme}", "{name: acme, system_account: shop}"), prune=True)
    assert acme.system_account == account(acme, "shop").public_key != old
    assert of(done, "SYS").fate is Fate.SURPLUS, "the one that there was is not deleted with the same stroke"
    assert any("once servers were restarted" in note.lower() for note in of(done, "acme").notes)


def test_with_four_eyes_a_plan_is_shown_and_its_application_waits_for_a_second_person(acme: Operator) -> None:
    make.four_eyes(acme)
    acme.refresh_from_db()
    author, second = make.principal(), make.principal()
    plan = manifests.plan(principal=author, operator=acme, data=SHARING)
    assert plan.count(Fate.CREATE) == 6
    with pytest.raises(proposing.Proposed) as made:
        apply(acme, SHARING, principal=author, token=plan.token)
    assert not Account.objects.filter(operator=acme, name="orders").exists()
    assert made.value.proposal.summary == "Applied a manifest to operator “acme”: 6 created"
    decided = proposals.approve(principal=second, proposal=made.value.proposal)
    assert (decided.state, decided.note) == ("approved", "")
    assert account(acme, "orders").user_count == 3
    assert apply(acme, SHARING, principal=author).is_empty, "what changes nothing is not proposed"
