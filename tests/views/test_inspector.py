"""The inspector: any JWT or creds file, decoded, verified, followed to an operator; nothing stored, no seed shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from identities.claims.drafts import AccountEdit
from identities.models import AuditEvent, IssuedToken, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import (
    accounts,
    clock,
    creds,
    inspection,
    keys,
    reissuing_accounts,
    trust_chain,
    users,
)
from tests import make

pytestmark = pytest.mark.django_db
GOLDEN = Path(__file__).parents[1] / "golden"
FOREIGN = (GOLDEN / "basics/out/creds/TestAccount-TestUser.creds").read_text()
DAY = 86_400


@pytest.fixture
def user() -> User:
    return make.user(make.account(make.operator("Op"), "Shop"), "ann")


def text_of(user: User) -> str:
    return creds.user_jwt(principal=make.COMMAND, user=user).text


def inspect(text: str, browser: Client | None = None) -> str:
    answer = (browser or make.client(Role.VIEWER)).post(reverse("inspector"), {"text": text})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def tones(text: str) -> list[str]:
    found = inspection.inspect(principal=make.COMMAND, text=text, now=clock.unix())
    return [f"{link.tone}: {link.text}" for link in found.chain]


def test_a_user_is_followed_to_its_operator_with_names(user: User) -> None:
    page = inspect(text_of(user))
    for said in (
        "User “ann”",
        "Signature is right",
        "Signed by account “Shop”",
        "Account “Shop” is signed by operator “Op”",
        "User “ann” is known here",
        "This is its current JWT",
    ):
        assert said in page


def test_accounts_and_operators_are_followed_too(user: User) -> None:
    account = user.account
    assert tones(account.token.text)[0] == "ok: Account is signed by operator “Op”"  # type: ignore[union-attr]
    assert tones(account.operator.token.text)[0] == "ok: Signed by the operator itself"  # type: ignore[union-attr]


def test_a_creds_file_shows_its_jwt_and_never_its_seed(user: User) -> None:
    text = creds.creds_file(principal=make.COMMAND, user=user).text
    seed = next(line for line in text.splitlines() if line.startswith("SU"))
    page = inspect(text)
    assert "fits the JWT" in page
    assert seed not in page
    other = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    swapped = inspect(text.replace(seed, other))
    assert "does not fit the JWT" in swapped
    assert other not in swapped


def test_a_stranger_is_decoded_and_its_chain_ends_where_nobody_is_known() -> None:
    make.installation()
    page = inspect(FOREIGN)
    assert "TestUser" in page
    assert "account is not known here" in page


def test_earlier_revoked_and_deleted_ones_are_told_apart(user: User) -> None:
    early = text_of(user)
    account = user.account
    accounts.revoke(principal=make.COMMAND, account=account, entries={user.public_key: clock.unix() + 9})
    assert "danger: Revoked in account “Shop”" in tones(early)
    users.delete(principal=make.COMMAND, user=user, version=user.version)
    assert "danger: User “ann” was deleted here" in tones(early)
    old = account.token.text  # type: ignore[union-attr]
    account.refresh_from_db()
    edit = AccountEdit(name="Shop", description="new")
    accounts.update(principal=make.COMMAND, account=account, edit=edit, version=account.version)
    assert "warn: This is an earlier JWT of it, replaced since" in tones(old)


def test_a_broken_signature_is_refused_and_what_can_be_read_is_shown(user: User) -> None:
    text = text_of(user)
    page = inspect(text[:-8] + "AAAAAAAA")
    assert "Refused" in page
    assert "Not to be believed" in page
    assert "&quot;ann&quot;" in page


def test_an_expired_one_is_not_valid_at_this_time(user: User) -> None:
    gone = make.user(user.account, "late", expires=clock.unix() + DAY)
    verdict = inspection.judge(text_of(gone), now=clock.unix() + 2 * DAY)
    assert (verdict.ok, verdict.blocking, verdict.blocking_with_time_checks) == (True, False, True)


def test_a_file_can_be_uploaded(user: User) -> None:
    upload = SimpleUploadedFile("x.jwt", text_of(user).encode())
    answer = make.client().post(reverse("inspector"), {"file": upload})
    assert "User “ann”" in answer.content.decode()


SEED = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Paste a JWT"),
        ("   \n", "Paste a JWT"),
        ("hello", "There is no JWT in this"),
        (SEED, "That is a seed"),
        (f"-----BEGIN ACCOUNT NKEY SEED-----\n{SEED}\n-----END-----", "That is a seed"),
        ("x" * (1024 * 1024 + 1), "1048576 characters"),
    ],
)
def test_what_holds_no_jwt_is_refused_and_not_shown_again(text: str, said: str) -> None:
    answer = make.client().post(reverse("inspector"), {"text": text})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert SEED not in page
    assert "hello" not in page


@pytest.mark.parametrize("text", ["a.b.c", "eyJ0.eyJ0.eyJ0", "..", "." * 300_000])
def test_rubbish_is_refused_in_words(text: str) -> None:
    page = inspect(text, make.client())
    assert "Refused" in page


def test_nothing_of_it_is_stored_or_audited(user: User) -> None:
    text = text_of(user)
    browser = make.client()
    tokens, events = IssuedToken.objects.count(), AuditEvent.objects.count()
    inspect(text, browser)
    inspect(FOREIGN, browser)
    assert (IssuedToken.objects.count(), AuditEvent.objects.count()) == (tokens, events)


def test_what_may_not_be_seen_is_not_known_either(user: User) -> None:
    other = make.client(Role.VIEWER, operator=make.operator("Other"))
    page = inspect(text_of(user), other)
    assert "Shop" not in page
    assert "is not known here" in page


def test_who_sees_one_account_knows_its_operator_s_keys_and_no_other_account(user: User) -> None:
    operator = user.account.operator
    beside = make.account(operator, "Beside")
    spare = keys.generate(principal=make.COMMAND, operator=operator, kind=KeyKind.OPERATOR)
    admin = make.principal(Role.ADMINISTRATOR, account=user.account)
    for row, known in (
        (user.account, "ok: Account “Shop” is known here"),
        (beside, "warn: Account is not known here"),
    ):
        found = inspection.inspect(principal=admin, text=row.token.text, now=clock.unix())  # type: ignore[union-attr]
        said = [f"{link.tone}: {link.text}" for link in found.chain]
        assert said[:2] == ["ok: Account is signed by operator “Op”", known]
        assert found.names[row.issuer] == "signing key of Op"
    assert trust_chain.names(admin, [spare.public_key, beside.public_key]) == {}


def test_who_may_inspect() -> None:
    make.installation()
    assert make.client(Role.VIEWER).get(reverse("inspector")).status_code == 200
    assert make.client(None).get(reverse("inspector")).status_code == 403
    assert Client().get(reverse("inspector")).status_code == 302


def test_jwts_of_an_account_that_was_reissued_lead_to_its_new_key(user: User) -> None:
    account = user.account
    old, of_user, key = IssuedToken.objects.get(pk=account.token_id).text, text_of(user), account.public_key
    reissuing_accounts.reissue(principal=make.COMMAND, account=account, version=account.version)
    account.refresh_from_db()
    assert account.public_key != key
    admin = make.client()
    for text in (old, of_user):
        page = inspect(text, admin)
        assert "Account “Shop” had this key until it was reissued, and has another one since" in page
        assert account.public_key in page
        assert "is not known here" not in page
    stranger = make.client(account=make.account(make.operator("Other")))
    assert "had this key until" not in inspect(old, stranger)
