"""An nsc estate comes in as it is: every text to the byte, every seed that fits, and what is odd about it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.drafts import AccountEdit
from identities.models import Account, AuditEvent, AuditTarget, IssuedToken, Key, Operator, Permission, User
from identities.nkeys import KeyPair
from identities.policy.actions import Action
from identities.services import accounts, audit, changes, columns, creds, importing, signing
from identities.services.import_items import Choices
from identities.services.import_reading import Collected
from identities.services.secrets import opened
from tests import goldens, make, nscfiles, rows

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}
Report = dict[str, Any]
ENVIRONMENTS = sorted(goldens.ENVIRONMENTS)


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    make.installation()


def imported(collected: Collected, **choices: Any) -> Report:
    return importing.perform(**WHO, collected=collected, choices=Choices(**choices))


def golden(environment: str, keys: Path | None = None) -> Collected:
    folders = [goldens.GOLDEN / environment / "stores", *([keys] if keys else [])]
    return nscfiles.collected(*folders)


def said(report: Report, *tones: str) -> list[str]:
    wanted = tones or ("left", "error", "warning")
    return [
        f"{note['message']}: {', '.join(note['where'])}" for note in report["notes"] if note["tone"] in wanted
    ]


def current_text(row: Operator | Account | User) -> str:
    assert row.token is not None
    with signing.token_text(row.token) as text:
        return text


def all_rows() -> list[Operator | Account | User]:
    return [*Operator.objects.live(), *Account.objects.live(), *User.objects.live()]


def texts_of(environment: str) -> dict[str, str]:
    found = [path.read_text().strip() for path in (goldens.GOLDEN / environment / "stores").rglob("*.jwt")]
    return {codec.decode(text).claims.sub: text for text in found}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
class TestGolden:
    def test_every_jwt_is_here_to_the_byte_with_what_lists_read(
        self, environment: str, tmp_path: Path
    ) -> None:
        keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
        report = imported(golden(environment, keys))
        texts = texts_of(environment)
        assert {row.public_key: current_text(row) for row in all_rows()} == texts
        assert IssuedToken.objects.count() == len(texts)
        assert set(IssuedToken.objects.values_list("origin", flat=True)) == {"imported"}
        for row in all_rows():
            token = codec.decode(texts[row.public_key])
            assert (row.claims, row.name, row.issuer, row.last_iat) == (
                token.payload, token.claims.name, token.claims.iss, token.claims.iat,
            )  # fmt: skip
            assert (row.expires, row.not_before, row.version) == (token.claims.exp, token.claims.nbf, 1)
        assert report["counts"]["operator"] == {"new": 1}
        assert sum(report["counts"]["user"].values()) == User.objects.count()

    def test_keys_permissions_and_columns_are_what_the_documents_say(
        self, environment: str, tmp_path: Path
    ) -> None:
        seeds = nscfiles.seeds_of(environment)
        imported(golden(environment, nscfiles.keystore(tmp_path / "keys", seeds)))
        assert self.shape() == self.expected(Operator.objects.get(), set(seeds))

    @staticmethod
    def shape() -> set[tuple[object, ...]]:
        keys = {
            ("key", key.public_key, key.kind, key.purpose, key.role, key.sealed is not None)
            for key in Key.objects.all()
        }
        rules = {
            ("rule", row.account.name, row.user and row.user.name, row.key and row.key.role, row.direction)
            + (row.effect, row.pattern.text, row.queue)
            for row in Permission.objects.select_related("account", "user", "key", "pattern")
        }
        modes = {
            ("user", user.name, user.pub_mode, user.sub_mode, user.bearer) for user in User.objects.all()
        }
        accounts = {
            (
                "account",
                row.name,
                row.user_count,
                row.jetstream,
                row.default_pub,
                row.default_sub,
                row.description,
            )
            for row in Account.objects.all()
        }
        return keys | rules | modes | accounts

    @staticmethod
    def expected(operator: Operator, seeds: set[str]) -> set[tuple[object, ...]]:
        found: set[tuple[object, ...]] = set()

        def key(text: str, kind: str, purpose: str, role: str = "") -> None:
            found.add(("key", text, kind, purpose, role, text in seeds))

        body = changes.claims_of(operator).nats
        key(operator.public_key, "operator", "identity")
        for signer in body.signing_keys:
            key(signer, "operator", "signing")
        for account in Account.objects.all():
            claims: AccountBody = changes.claims_of(account).nats
            pub, sub = columns.default_modes(claims.default_permissions)
            count = User.objects.filter(account=account).count()
            jetstream = claims.limits.jetstream_enabled
            found.add(("account", account.name, count, jetstream, pub, sub, claims.description))
            key(account.public_key, "account", "identity")
            if claims.authorization.xkey:
                key(claims.authorization.xkey, "curve", "curve")
            for rule in columns.rules_of(claims.default_permissions):
                found.add(("rule", account.name, None, None, *rule))
            for entry in claims.signing_keys:
                key(entry.key, "account", "role" if entry.is_scoped else "signing", entry.role)
                for rule in columns.rules_of(entry.template) if entry.template else ():
                    found.add(("rule", account.name, None, entry.role, *rule))
            scopes = {entry.key: entry for entry in claims.signing_keys}
            for user in User.objects.filter(account=account):
                limits = changes.claims_of(user).nats.limits
                scope = scopes.get(user.issuer)
                pub, sub = columns.user_modes(limits, scoped=bool(scope and scope.is_scoped))
                bearer = columns.is_credential(changes.claims_of(user), scope.template if scope else None)
                found.add(("user", user.name, pub, sub, bearer))
                key(user.public_key, "user", "identity")
                for rule in columns.rules_of(limits):
                    found.add(("rule", account.name, user.name, None, *rule))
        return found

    def test_every_seed_is_sealed_under_its_own_key(self, environment: str, tmp_path: Path) -> None:
        seeds = nscfiles.seeds_of(environment)
        report = imported(golden(environment, nscfiles.keystore(tmp_path / "keys", seeds)))
        for key in Key.objects.all():
            assert key.sealed is not None, key.public_key
            with opened(bytes(key.sealed), table="key", public_key=key.public_key, purpose="seed") as seed:
                assert KeyPair.from_seed(seed).public.text == key.public_key
        assert all(User.objects.values_list("has_seed", flat=True))
        assert report["seeds"]["missing"] == 0
        assert report["stuck"] == []

    @pytest.mark.parametrize("layout", ["old", "flat"])
    def test_older_keystores_and_flat_exports_are_the_same(
        self, environment: str, layout: str, tmp_path: Path
    ) -> None:
        seeds = nscfiles.seeds_of(environment)
        if layout == "old":
            keys = nscfiles.old_keystore(tmp_path / ".nkeys", environment, seeds)
            collected = golden(environment, keys)
        else:
            collected = nscfiles.collected(nscfiles.flat_export(tmp_path / "flat", environment, seeds))
        report = imported(collected)
        assert {row.public_key: current_text(row) for row in all_rows()} == texts_of(environment)
        assert not Key.objects.filter(sealed=None).exists()
        assert report["seeds"]["missing"] == 0

    def test_doing_it_again_changes_nothing(self, environment: str, tmp_path: Path) -> None:
        keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
        imported(golden(environment, keys))
        before = rows.everything()
        report = imported(golden(environment, keys))
        assert report["nothing"]
        assert rows.everything() == before
        assert set(report["counts"]["user"]) == {"unchanged"}
        assert said(report, "left", "error", "warning") == []

    def test_a_plan_says_the_same_and_changes_nothing(self, environment: str) -> None:
        before = rows.everything()
        collected = nscfiles.collected(goldens.GOLDEN / environment / "stores", seal=False)
        planned = importing.plan(**WHO, collected=collected)
        assert rows.everything() == before
        assert imported(golden(environment)) == planned

    def test_seeds_that_come_later_find_their_keys(self, environment: str, tmp_path: Path) -> None:
        first = imported(golden(environment))
        assert not Key.objects.exclude(sealed=None).exists()
        assert first["seeds"]["missing"] == Key.objects.count()
        assert any("own seed is not here" in line for line in first["stuck"])
        keys = nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of(environment))
        second = imported(nscfiles.collected(keys))
        assert second["seeds"]["fills"] == Key.objects.count()
        assert not Key.objects.filter(sealed=None).exists()
        assert all(User.objects.values_list("has_seed", flat=True))
        assert imported(nscfiles.collected(keys))["nothing"]
        assert "had been missing" in AuditEvent.objects.latest("seq").summary
        user = User.objects.filter(bearer=False).first()
        assert user is not None
        assert "-----BEGIN USER NKEY SEED-----" in creds.creds_file(**WHO, user=user).text

    def test_each_account_leaves_one_event_that_names_all_below_it(self, environment: str) -> None:
        imported(golden(environment))
        events = AuditEvent.objects.filter(action=Action.JWT_ADOPT)
        assert events.count() == Operator.objects.count() + Account.objects.count()
        named = set(AuditTarget.objects.values_list("key", flat=True))
        assert named == {row.public_key for row in all_rows()}
        assert audit.first_broken() is None


ORPHANS = (
    "its account KEY neither came along nor is here: user “u1” (stores/Good/accounts/A1/users/u1.jwt), "
    "user “uSK” (stores/Good/accounts/A1/users/uSK.jwt)"
)
OPERATORLESS = (
    "its operator is not known. It is signed by KEY bring the operator's JWT along, or choose the operator that it is "
    "to belong to: account “A1” (stores/Good/accounts/A1/A1.jwt), account “A2” (stores/Good/accounts/A2/A2.jwt)"
)
VARIANTS: dict[str, list[str]] = {
    "baseline-ok": [],
    "strict-after-the-fact": [],
    "system-account-with-js": [],
    "user-file-name-differs": [
        "is named “renamed”, but what is in it is “u1”, which counts: stores/Good/accounts/A1/users/renamed.jwt"
    ],
    "account-missing-file": [
        ORPHANS,
        "holds users, but not the JWT of their account: stores/Good/accounts/A1 (2)",
    ],
    "operator-tampered": [
        "claim failed V2 signature verification: stores/Good/Good.jwt",
        OPERATORLESS,
        ORPHANS,
        "its account KEY neither came along nor is here: user “u2” (stores/Good/accounts/A2/users/u2.jwt)",
    ],
    "user-tampered": ["claim failed V2 signature verification: stores/Good/accounts/A1/users/u1.jwt"],
    "expired": ["claim is expired: user “A1/u1”, account “A2”"],
    "account-of-other-operator": [
        ORPHANS,
        "lies in the folder of another operator, and belongs to “Other”: account “A1” (stores/Good/accounts/A1)",
    ],
    "user-by-removed-signing-key": [
        "signed by KEY which is no key of account “A1” (any more): user “A1/uSK”"
    ],
    "subject-mismatch-account-key": [
        "KEY is a key of kind account, not user.: stores/Good/accounts/A1/users/u1.jwt"
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", goldens.VARIANTS)
def test_a_store_with_something_wrong_in_it_comes_in_with_that_said(name: str) -> None:
    report = imported(nscfiles.collected(goldens.GOLDEN / f"invalid/store-variants/{name}/stores"))
    assert [without_keys(line) for line in said(report)] == VARIANTS[name]
    stays_out = sum(note["count"] for note in report["notes"] if note["tone"] == "left")
    files = list((goldens.GOLDEN / f"invalid/store-variants/{name}/stores").rglob("*.jwt"))
    copies = 1 if name == "account-of-other-operator" else 0
    assert len(all_rows()) == len(files) - stays_out - copies


def without_keys(text: str) -> str:
    return " ".join("KEY" if len(word.strip(".,:")) == 56 else word for word in text.split())


def test_one_operator_of_several_comes_in_alone() -> None:
    stores = goldens.GOLDEN / "invalid/store-variants/baseline-ok/stores"
    report = imported(nscfiles.collected(stores), only="Good")
    assert [row.name for row in Operator.objects.all()] == ["Good"]
    assert said(report, "left") == []
    assert imported(nscfiles.collected(stores), leave=frozenset({Operator.objects.get().public_key}))
    assert sorted(row.name for row in Operator.objects.all()) == ["Good", "Other"]


def test_what_is_signed_here_afterwards_follows_what_was_brought(tmp_path: Path) -> None:
    imported(golden("full", nscfiles.keystore(tmp_path / "keys", nscfiles.seeds_of("full"))))
    account = Account.objects.get(name="Billing")
    before = changes.claims_of(account)
    edit = AccountEdit(name="Billing", description="now here")
    saved = accounts.update(**WHO, account=account, edit=edit, version=account.version)
    after = changes.claims_of(saved)
    assert (after.iss, after.nats.limits) == (before.iss, before.nats.limits)
    assert after.iat > before.iat
    assert saved.token is not None and saved.token.replaces == account.token
