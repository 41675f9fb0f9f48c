"""Signing keys of an account: adding, editing roles, removing, and what is said before it is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.imports import Import
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Key, Purpose, User
from identities.models import Permission as PermissionRow
from identities.nkeys import KeyKind, KeyPair
from identities.policy.actions import Action
from identities.policy.decisions import Forbidden
from identities.services import accounts, changes, creds, moves, signing, signing_keys, trust_chain
from identities.views import shown
from tests import make

pytestmark = pytest.mark.django_db

UNLIMITED = UserPermissionLimits.unlimited()
ORDERS = replace(UNLIMITED, pub=Permission(allow=("orders.{{name()}}.>",)))


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


def fresh(account: Account) -> Account:
    return Account.objects.select_related("operator").get(pk=account.pk)


def add(account: Account, **draft: object) -> Key:
    row = fresh(account)
    return signing_keys.add(
        principal=make.COMMAND, account=row, draft=SigningKeyDraft(**draft), version=row.version
    )


def add_role(account: Account, name: str = "service", template: UserPermissionLimits = ORDERS) -> Key:
    return add(account, role=RoleDraft(role=name, template=template))


def edit(account: Account, key: Key, **fields: object) -> Account:
    row = fresh(account)
    held = signing_keys.entry_of(row, key.public_key)
    draft = RoleDraft(role=held.role, description=held.description, template=held.template or UNLIMITED)
    return signing_keys.edit(
        principal=make.COMMAND,
        account=row,
        public_key=key.public_key,
        draft=replace(draft, **fields),
        version=row.version,
    )


def remove(account: Account, key: Key) -> Account:
    row = fresh(account)
    return signing_keys.remove(
        principal=make.COMMAND, account=row, public_key=key.public_key, version=row.version
    )


def entries(account: Account) -> tuple[SigningKey, ...]:
    found: tuple[SigningKey, ...] = changes.claims_of(fresh(account)).nats.signing_keys
    return found


class TestAdding:
    def test_a_key_made_here_signs_the_next_user(self, account: Account) -> None:
        key = add(account)
        assert entries(account) == (SigningKey(key=key.public_key),)
        assert (key.purpose, key.sealed is not None) == (Purpose.SIGNING, True)
        user = make.user(fresh(account))
        assert user.issuer == key.public_key
        assert changes.claims_of(user).nats.issuer_account == account.public_key

    def test_a_public_key_stands_there_without_a_seed_and_signs_nothing_here(self, account: Account) -> None:
        public = KeyPair.create(KeyKind.ACCOUNT).public.text
        key = add(account, public_key=public)
        assert key.sealed is None
        assert entries(account)[0].key == public
        with pytest.raises(signing.NoSigner):
            make.user(fresh(account), signer=public)

    def test_a_role_is_written_whole_and_its_rules_can_be_searched(self, account: Account) -> None:
        key = add(account, role=RoleDraft(role="service", description="What serves.", template=ORDERS))
        entry = entries(account)[0]
        assert (entry.kind, entry.role, entry.description) == ("user_scope", "service", "What serves.")
        assert entry.template == ORDERS
        assert (key.purpose, key.role) == (Purpose.ROLE, "service")
        rules = PermissionRow.objects.filter(key=key).values_list("pattern__text", flat=True)
        assert list(rules) == ["orders.{{name()}}.>"]

    def test_the_diff_names_a_key_that_is_still_to_be_made(self, account: Account) -> None:
        change = signing_keys.plan_add(account, SigningKeyDraft())
        assert [field.path for field in change.diff] == ["nats.signing_keys[a new key]"]
        assert not Key.objects.filter(public_key=signing_keys.NOT_MADE).exists()

    def test_somebodys_key_is_refused_and_so_is_one_of_another_kind(self, account: Account) -> None:
        other = make.account(account.operator, "Other")
        for taken, holder in (
            (other.public_key, "somebody else under this operator"),
            (account.public_key, "“Orders”"),
            (add(account).public_key, "“Orders”"),
        ):
            with pytest.raises(IdentityError, match=f"already a key of {holder}") as refused:
                add(account, public_key=taken)
            assert refused.value.field == "public_key"
            assert "Other" not in refused.value.user_message  # whom its admins may not see
        with pytest.raises(IdentityError, match="not account"):
            add(account, public_key=KeyPair.create(KeyKind.USER).public.text)

    def test_two_roles_of_one_name_are_refused(self, account: Account) -> None:
        add_role(account, "service")
        with pytest.raises(IdentityError, match="already has a role named") as refused:
            add_role(account, "service")
        assert refused.value.field == "role"

    def test_a_key_that_comes_back_brings_its_seed_and_says_what_lives_again(self, account: Account) -> None:
        key = add(account)
        make.user(fresh(account), "bob")
        remove(account, key)
        told = signing_keys.plan_add(fresh(account), SigningKeyDraft(public_key=key.public_key)).consequences
        assert told == ("This key signed 1 JWT before: valid again from now on, unless revoked.",)
        assert add(account, public_key=key.public_key).sealed is not None

    def test_a_key_that_came_back_is_called_by_what_it_is_now(self, account: Account) -> None:
        key = add_role(account, "before")
        remove(account, key)
        add(account, public_key=key.public_key)
        named = trust_chain.names(make.COMMAND, [key.public_key])
        assert named == {key.public_key: "signing key of Orders"}
        names = shown.key_names(make.COMMAND, account.operator, [key.public_key])
        assert names == {key.public_key: "Orders (signing key)"}

    def test_viewers_may_not(self, account: Account) -> None:
        with pytest.raises(Forbidden):
            signing_keys.add(
                principal=make.principal("viewer"),
                account=account,
                draft=SigningKeyDraft(),
                version=account.version,
            )


class TestTemplates:
    @pytest.mark.parametrize("name", ["subs", "data", "payload"])
    def test_a_role_cannot_hold_0(self, account: Account, name: str) -> None:
        with pytest.raises(changes.InvalidClaims, match="a role cannot hold 0"):
            add_role(account, template=replace(ORDERS, **{name: 0}))

    def test_an_unknown_template_is_refused_with_its_words(self, account: Account) -> None:
        with pytest.raises(changes.InvalidClaims, match="not known to nats-server"):
            add_role(account, template=replace(UNLIMITED, pub=Permission(allow=("a.{{user()}}",))))

    def test_proxy_required_is_only_warned_of(self, account: Account) -> None:
        draft = SigningKeyDraft(role=RoleDraft(template=replace(UNLIMITED, proxy_required=True)))
        change = signing_keys.plan_add(account, draft)
        assert not change.report.blocking
        assert any("does not enforce this in a role" in warning for warning in change.new_warnings(now=0))


class TestEditing:
    def test_touches_that_role_and_nothing_else(self, account: Account) -> None:
        other, key = add_role(account, "other"), add_role(account, "service")
        before = entries(account)
        edit(account, key, description="What serves.")
        after = entries(account)
        for was, now in zip(before, after, strict=True):
            assert now == (was if was.key == other.public_key else replace(was, description="What serves."))

    def test_says_whose_connections_drop_and_who_would_be_refused(self, account: Account) -> None:
        key = add_role(account)
        make.user(fresh(account), "alice", signer=key.public_key, tags=("team:red",))
        make.user(fresh(account), "bob", signer=key.public_key)
        make.user(fresh(account), "carol")
        template = replace(ORDERS, pub=Permission(deny=("secret.{{tag(team)}}",)))
        change = signing_keys.plan_edit(fresh(account), key.public_key, RoleDraft(template=template))
        dropped, refused = change.consequences
        assert dropped.startswith("2 users (“alice”, “bob”) of this role:")
        assert "connects again with the creds it has and the new rights" in dropped
        assert "would refuse 1 user (“bob”) at login" in refused
        assert "needs a tag that is not there" in refused

    def test_without_users_nothing_is_said_and_without_a_change_nothing_signed(
        self, account: Account
    ) -> None:
        key = add_role(account)
        assert (
            signing_keys.plan_edit(fresh(account), key.public_key, RoleDraft(role="new")).consequences == ()
        )
        version = fresh(account).version
        assert edit(account, key).version == version

    def test_a_plain_key_holds_nothing_to_edit(self, account: Account) -> None:
        key = add(account)
        with pytest.raises(IdentityError, match="holds nothing to edit"):
            edit(account, key, role="service")

    def test_a_role_with_users_never_turns_bearer_for_their_jwts_lie_open(self, account: Account) -> None:
        key = add_role(account)
        edit(account, key, template=replace(ORDERS, bearer_token=True))
        edit(account, key, template=ORDERS)
        make.user(fresh(account), "bob", signer=key.public_key)
        with pytest.raises(IdentityError, match="would log in alone") as refused:
            edit(account, key, template=replace(ORDERS, bearer_token=True))
        assert refused.value.field == "bearer_token"

    def test_no_role_is_bearer_where_the_account_forbids_it(self, account: Account) -> None:
        limits = replace(changes.claims_of(account).nats.limits, disallow_bearer=True)
        accounts.update_limits(
            principal=make.COMMAND, account=account, limits=limits, version=account.version
        )
        with pytest.raises(IdentityError, match="forbids bearer users"):
            add_role(account, template=replace(ORDERS, bearer_token=True))

    def test_users_of_a_role_that_was_bearer_keep_their_jwts_guarded(self, account: Account) -> None:
        key = add_role(account, template=replace(ORDERS, bearer_token=True))
        user = make.user(fresh(account), "bob", signer=key.public_key)
        assert user.bearer
        edit(account, key, template=ORDERS)
        user = User.objects.select_related("token", "account__operator").get(pk=user.pk)
        assert not user.bearer
        with pytest.raises(Forbidden):
            creds.user_jwt(principal=make.principal("viewer"), user=user)
        creds.user_jwt(principal=make.principal(), user=user)
        assert AuditEvent.objects.latest("seq").action == Action.BEARER_DOWNLOAD


class TestRemoving:
    def test_says_which_users_stop_working_and_that_their_rights_stand_in_the_role(
        self, account: Account
    ) -> None:
        key = add_role(account)
        for number in range(7):
            make.user(fresh(account), f"device-{number}", signer=key.public_key)
        users, rights = signing_keys.plan_remove(fresh(account), key.public_key).consequences
        assert "7 users (“device-0”, “device-1”, “device-2”, “device-3”, “device-4” and 2 more)" in users
        assert "their creds stop working" in users
        assert "stands in this role alone" in rights

    def test_takes_key_and_rules_away_and_leaves_the_other(self, account: Account) -> None:
        other, key = add_role(account, "other"), add_role(account, "service")
        remove(account, key)
        assert [entry.key for entry in entries(account)] == [other.public_key]
        key.refresh_from_db()
        assert key.deleted_at is not None
        assert not PermissionRow.objects.filter(key=key).exists()
        assert PermissionRow.objects.filter(key=other).exists()

    def test_its_users_can_be_issued_again_only_by_another_key(self, account: Account) -> None:
        key = add_role(account)
        user = make.user(fresh(account), "bob", signer=key.public_key)
        remove(account, key)
        user = User.objects.select_related("account__operator", "token").get(pk=user.pk)
        with pytest.raises(signing.NoSigner, match="Move it to another key"):
            moves.users.signer(user)
        wanted = moves.Move(signer=account.public_key, start=moves.Start.UNLIMITED)
        moves.move(principal=make.COMMAND, user=user, wanted=wanted, version=user.version)
        assert User.objects.get(pk=user.pk).issuer == account.public_key

    def test_the_last_plain_key_under_a_strict_operator_is_named(self) -> None:
        account = make.account(make.operator(require_signing_keys=True))
        last = entries(account)[0].key
        told = signing_keys.plan_remove(account, last).consequences
        assert any("last plain signing key" in line for line in told)

    def test_imports_that_live_by_a_token_of_the_key_are_named(self, account: Account) -> None:
        key = add(account)
        importer = make.account(account.operator, "Shop")
        token = activation(account, key, importer)
        imported = Import(
            name="orders", subject="orders.>", account=account.public_key, token=token, type="stream"
        )
        accounts.rewrite(
            principal=make.COMMAND,
            account=importer,
            plan=lambda row: changes.plan(row, changes.edit_body(imports=(imported,)), now=0),
            version=importer.version,
            done="Added an import to account",
        )
        told = signing_keys.plan_remove(fresh(account), key.public_key).consequences
        assert told == ("Tokens signed by this key become worthless; imports of “Shop” stop.",)

    def test_of_a_key_that_is_none_is_refused(self, account: Account) -> None:
        with pytest.raises(IdentityError, match="no signing key of “Orders”"):
            signing_keys.plan_remove(account, account.public_key)

    def test_the_audit_names_the_key(self, account: Account) -> None:
        key = add(account)
        remove(account, key)
        event = AuditEvent.objects.latest("seq")
        assert event.action == Action.SIGNING_KEY_EDIT
        assert key.public_key in event.summary
        assert IssuedToken.objects.filter(subject=account.public_key).count() == 3


def activation(account: Account, key: Key, importer: Account) -> str:
    from identities.claims.activation import ActivationBody
    from identities.claims.common import Claims

    body = ActivationBody(subject="orders.>", kind="stream", issuer_account=account.public_key)
    with signing.signer_for(key) as signer:
        return codec.encode_checked(Claims(nats=body, sub=importer.public_key), signer, 1).text
