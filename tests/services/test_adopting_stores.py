"""Whole nsc stores come in as they are: every text to the byte, every seed, and what lists read of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.permissions import UserPermissionLimits
from identities.models import Account, IssuedToken, Key, Mode, Operator, User
from identities.nkeys import KeyPair
from identities.services import accounts, changes, columns, creds, signing, users
from identities.services.secrets import opened
from tests import goldens
from tests.adopted import WHO, current_text, rules

pytestmark = pytest.mark.django_db


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
