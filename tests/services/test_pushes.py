"""Account JWTs that are pushed over HTTP: what is taken, what waits, what is refused; and the pages about it."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from identities.claims import codec
from identities.models import Account, AuditEvent, IssuedToken, Offer, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, pushes, signing
from tests import make

pytestmark = pytest.mark.django_db


def signed_by(operator: Operator, account: Account, ahead: int = 30, **edits: Any) -> str:
    """The account's JWT as somebody with the operator's key edits it elsewhere."""
    key = signing.account_signer(operator, changes.claims_of(operator))
    claims = replace(changes.claims_of(account), **edits)
    with signing.signer_for(key) as pair:
        return codec.encode(claims, pair, account.last_iat + ahead).text


def self_signed(account: Account, ahead: int = 30, **edits: Any) -> str:
    key = account.keys.get(public_key=account.public_key)
    with signing.signer_for(key) as pair:
        return codec.encode(replace(changes.claims_of(account), **edits), pair, account.last_iat + ahead).text


def push(account_key: str, text: str, password: str = "", operator: Operator | None = None) -> Any:
    prefix = f"/o/{operator.public_key}" if operator else ""
    headers = {}
    if password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"push:{password}".encode()).decode()
    return Client(enforce_csrf_checks=True).post(
        f"{prefix}/jwt/v1/accounts/{account_key}", text, content_type="application/jwt", headers=headers
    )


@pytest.fixture
def account() -> Account:
    return make.account(name="Team")


@pytest.fixture
def password(account: Account) -> str:
    return pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=True)


def test_nothing_is_taken_before_somebody_opens_the_door(account: Account) -> None:
    answer = push(account.public_key, signed_by(account.operator, account))
    assert answer.status_code == 405
    assert IssuedToken.objects.filter(subject=account.public_key).count() == 1


def test_what_the_operator_signed_is_taken_to_the_byte(account: Account, password: str) -> None:
    text = signed_by(account.operator, account, name="Renamed")
    answer = push(account.public_key, text, password, account.operator)
    assert (answer.status_code, answer.content) == (200, b"")
    account.refresh_from_db()
    assert account.token.text == text
    assert account.name == "Renamed"
    assert account.token.origin == "imported"
    event = AuditEvent.objects.latest("seq")
    assert (event.actor, event.way) == (f"push:{account.operator.public_key}", "token")
    before = IssuedToken.objects.count()
    assert push(account.public_key, text, password).status_code == 200  # again
    assert IssuedToken.objects.count() == before


def test_an_account_that_was_not_here_comes_in(account: Account, password: str) -> None:
    pair = KeyPair.create(KeyKind.ACCOUNT)
    key = signing.account_signer(account.operator, changes.claims_of(account.operator))
    claims = replace(changes.claims_of(account), sub=pair.public.text, name="New", source=None)
    with signing.signer_for(key) as signer:
        text = codec.encode(claims, signer, clock.unix()).text
    assert push(pair.public.text, text, password).status_code == 200
    made = Account.objects.get(public_key=pair.public.text)
    assert made.token is not None
    assert (made.name, made.token.text) == ("New", text)


def test_an_older_jwt_is_never_taken_over_a_newer(account: Account, password: str) -> None:
    text = signed_by(account.operator, account, ahead=-60)
    answer = push(account.public_key, text, password)
    assert (answer.status_code, b"not newer" in answer.content) == (400, True)
    answer = push(account.public_key, signed_by(account.operator, account, ahead=0, name="X"), password)
    assert answer.status_code == 400
    account.refresh_from_db()
    assert account.name == "Team"


@pytest.mark.parametrize("given", ["", "wrong", pushes.PREFIX + "x" * 43])
def test_without_the_password_nothing_is_looked_at(account: Account, password: str, given: str) -> None:
    answer = push(account.public_key, "no jwt at all", given)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_the_password_is_kept_as_a_hash_and_the_former_one_opens_nothing(
    account: Account, password: str
) -> None:
    later = pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=False)
    door = pushes.door_of(account.operator_id)
    assert door is not None
    assert password not in door.password_hash
    assert later.startswith(pushes.PREFIX)
    text = signed_by(account.operator, account)
    assert push(account.public_key, text, password).status_code == 401
    assert push(account.public_key, text, later).status_code == 200
    pushes.close_door(principal=make.COMMAND, operator=account.operator)
    assert push(account.public_key, text, later).status_code == 405
    assert not any(password in event.summary or later in event.summary for event in AuditEvent.objects.all())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[:-2], "bad JWT in request"),
        (lambda text: "nothing", "bad JWT in request"),
        (lambda text: "", "bad JWT in request"),
        (lambda text: "x" * (pushes.LARGEST + 1), "larger than 1 MiB"),
    ],
)
def test_a_damaged_jwt_is_refused(account: Account, password: str, spoil: Any, words: str) -> None:
    answer = push(account.public_key, spoil(signed_by(account.operator, account)), password)
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_another_accounts_jwt_and_a_strangers_are_refused(account: Account, password: str) -> None:
    other = make.account(account.operator)
    answer = push(other.public_key, signed_by(account.operator, account), password)
    assert (answer.status_code, answer.content) == (400, b"pub keys don't match\n")
    stranger = make.operator()
    text = signed_by(stranger, account)
    answer = push(account.public_key, text, password, account.operator)
    assert (answer.status_code, answer.content) == (400, b"bad JWT issuer is not trusted\n")


def test_a_self_signed_jwt_waits_until_the_operator_signs_it(account: Account, password: str) -> None:
    text = self_signed(account, name="Wanted")
    answer = push(account.public_key, text, password)
    assert answer.status_code == 202
    account.refresh_from_db()
    assert account.name == "Team"
    (offer,) = pushes.waiting(account.operator)
    assert {field.path for field in pushes.plan_accept(account, offer).diff} == {"name"}
    pushes.accept(principal=make.COMMAND, offer=offer, version=account.version)
    account.refresh_from_db()
    assert account.name == "Wanted"
    assert account.issuer != account.public_key
    assert not pushes.waiting(account.operator)


def test_nobody_comes_back_by_a_jwt_that_does_not_know_who_was_put_out(
    account: Account, password: str
) -> None:
    users = [make.user(account, f"leaver-{number}") for number in range(7)]
    stale = changes.claims_of(account).nats
    entries = {user.public_key: user.last_iat for user in users}
    account = accounts.revoke(principal=make.COMMAND, account=account, entries=entries)
    answer = push(account.public_key, signed_by(account.operator, account, 5, nats=stale), password)
    said = answer.content.decode()
    assert answer.status_code == 409
    assert said.startswith("not saved: it would let in again who is kept out here: “leaver-")
    assert "and 2 more. Pull the JWT that is here" in said
    account.refresh_from_db()
    assert changes.claims_of(account).nats.revocations == entries
    wider = replace(stale, revocations={"*": max(entries.values())})
    assert (
        push(account.public_key, signed_by(account.operator, account, 5, nats=wider), password).status_code
        == 200
    )


def test_a_jwt_from_the_future_is_refused_at_the_door(account: Account, password: str) -> None:
    for made in (signed_by, self_signed):
        source: Any = (account.operator, account) if made is signed_by else (account,)
        for ahead in (600, 86_400):
            answer = push(account.public_key, made(*source, ahead), password)
            assert answer.status_code == 409
            assert re.match(rb"not saved: it was issued [\d,]+ seconds from now", answer.content)
    fresh = Account.objects.get(pk=account.pk)
    assert fresh.last_iat == account.last_iat
    assert not pushes.waiting(account.operator)


def test_only_the_newest_self_signed_jwt_waits(account: Account, password: str) -> None:
    newer, older = self_signed(account, 20, name="Newer"), self_signed(account, 10, name="Older")
    assert push(account.public_key, newer, password).status_code == 202
    assert push(account.public_key, older, password).status_code == 400
    assert push(account.public_key, newer, password).status_code == 202
    assert [offer.name for offer in pushes.waiting(account.operator)] == ["Newer"]
    assert push(account.public_key, signed_by(account.operator, account, 30), password).status_code == 200
    assert not pushes.waiting(account.operator)


def test_self_signed_ones_are_refused_unless_they_are_wanted(account: Account) -> None:
    password = pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=False)
    answer = push(account.public_key, self_signed(account), password)
    assert (answer.status_code, b"self-signed" in answer.content) == (400, True)


def test_the_number_of_accounts_that_wait_is_bounded(
    account: Account, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "MOST_OFFERS", 1)
    second = make.account(account.operator)
    assert push(account.public_key, self_signed(account), password).status_code == 202
    assert push(second.public_key, self_signed(second), password).status_code == 429


def test_a_viewer_opens_no_door(account: Account) -> None:
    viewer = make.principal(Role.VIEWER)
    with pytest.raises(Forbidden):
        pushes.open_door(principal=viewer, operator=account.operator, self_signed=True)
    with pytest.raises(Forbidden):
        pushes.close_door(principal=viewer, operator=account.operator)


def test_the_password_stands_on_one_page_once(account: Account) -> None:
    browser = make.client()
    home = f"/operators/{account.operator.public_key}/pushes"
    shown = browser.post(f"{home}/open", {"self_signed": "on"}).content.decode()
    found = re.search(pushes.PREFIX + r"[\w-]{43}", shown)
    assert found is not None
    assert push(account.public_key, self_signed(account), found[0]).status_code == 202
    page = browser.get(home).content.decode()
    assert pushes.PREFIX not in page
    assert "Team" in page


def test_somebody_looks_at_what_waits_and_takes_or_declines_it(account: Account, password: str) -> None:
    browser = make.client()
    home = f"/operators/{account.operator.public_key}/pushes"
    push(account.public_key, self_signed(account, name="Wanted"), password)
    page = browser.get(f"{home}/{account.public_key}").content.decode()
    assert "Wanted" in page
    answer = browser.post(f"{home}/{account.public_key}", {"version": account.version})
    assert answer.status_code == 302
    account.refresh_from_db()
    assert account.name == "Wanted"
    assert browser.get(f"{home}/{account.public_key}").status_code == 404
    push(account.public_key, self_signed(account, name="Other"), password)
    assert browser.post(f"{home}/{account.public_key}/decline").status_code == 302
    assert not Offer.objects.exists()
    account.refresh_from_db()
    assert account.name == "Wanted"


def test_a_new_self_signed_account_is_taken_over_as_it_is(account: Account, password: str) -> None:
    pair = KeyPair.create(KeyKind.ACCOUNT)
    claims = replace(changes.claims_of(account), sub=pair.public.text, name="New", source=None)
    text = codec.encode(claims, pair, clock.unix()).text
    assert push(pair.public.text, text, password).status_code == 202
    browser = make.client()
    answer = browser.post(
        f"/operators/{account.operator.public_key}/pushes/{pair.public.text}", {"version": 0}
    )
    assert answer.status_code == 302
    made = Account.objects.get(public_key=pair.public.text)
    assert made.token is not None
    assert made.token.text == text
