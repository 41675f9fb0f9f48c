"""The page that takes back what somebody received: what would happen, and the deed once their name was typed."""

from __future__ import annotations

import pytest

from identities.claims.drafts import RoleDraft, ShortLivedDraft, SigningKeyDraft
from identities.models import Account, Handover, Key, Proposal
from identities.policy.principal import Principal, Role
from identities.services import changes, creds, short_lived, signing_keys, taking_back
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db

PAGE = "/activity/creds/revoke"


@pytest.fixture
def alice() -> Principal:
    make.installation()
    return make.principal(Role.ADMINISTRATOR)


@pytest.fixture
def account(alice: Principal) -> Account:
    made = make.account(make.operator("Test"), "Orders")
    creds.creds_file(principal=alice, user=make.user(made, "ann"))
    return Account.objects.select_related("operator").get(pk=made.pk)


@pytest.fixture
def visitor(account: Account) -> Visitor:
    return Visitor(make.client())


def revoked() -> list[bool]:
    return list(Handover.objects.order_by("pk").values_list("revoked", flat=True))


def test_the_ledger_leads_to_a_plan_and_the_typed_name_carries_it_out(
    visitor: Visitor, alice: Principal
) -> None:
    page = visitor.open("/activity/creds", {"to": alice.key})
    page = visitor.open(page.link(f"Revoke all that {alice.name} received"))
    assert "Test / Orders" in page.text
    assert "1 key that still let somebody in" in page.text
    assert "1 new revocation" in page.text
    assert "“ann”: nobody comes in with the creds of this user any more" in page.text
    refused = visitor.send(page, confirm="somebody")
    assert refused.status == 422
    assert "That is not the name" in refused.text
    assert revoked() == [False]
    page = visitor.send(refused, confirm=alice.name)
    assert f"Revoked all that {alice.name} received: 1 key in 1 account." in page.text
    assert revoked() == [True]
    page = visitor.open(PAGE, {"to": alice.key})
    assert "still works" in page.text
    assert not [form for form in page.forms if "confirm" in form.names]


def test_another_key_of_a_role_is_offered_planned_and_made(
    visitor: Visitor, alice: Principal, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "OFFERED_FROM", 2)
    draft = SigningKeyDraft(role=RoleDraft(role="worker"))
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    for name in ("a", "b"):
        short_lived.issue(principal=alice, role=role, draft=ShortLivedDraft(name=name))
    page = visitor.open(PAGE, {"to": alice.key})
    assert "Spares 2 revocations; no user kept here has the role." in page.text
    assert "3 new revocations" in page.text
    page = visitor.open(f"{PAGE}?to={alice.key}&replace={role.public_key}")
    assert "1 new revocation" in page.text
    assert page.form("confirm").values["replace"] == [role.public_key]
    visitor.send(page, confirm=alice.name)
    body = changes.claims_of(Account.objects.get(pk=account.pk)).nats
    assert [entry.key for entry in body.signing_keys] != [role.public_key]
    assert len(body.revocations) == 1
    assert Key.objects.get(pk=role.pk).deleted_at is not None


def test_under_four_eyes_it_says_that_it_does_not_wait_and_does_not(
    visitor: Visitor, alice: Principal, account: Account
) -> None:
    words = "without a second person: what locks somebody out never waits for four eyes"
    assert words not in visitor.open(PAGE, {"to": alice.key}).text
    make.four_eyes(account.operator, "members")
    assert words not in visitor.open(PAGE, {"to": alice.key}).text, "an owner is not asked"
    make.four_eyes(account.operator)
    page = visitor.open(PAGE, {"to": alice.key})
    assert words in page.text
    assert "1 key in 1 account." in visitor.send(page, confirm=alice.name).text
    assert revoked() == [True]
    assert not Proposal.objects.exists()
    assert words not in visitor.open(PAGE, {"to": alice.key}).text


def test_it_is_for_those_who_may_revoke_and_of_those_who_received(visitor: Visitor, alice: Principal) -> None:
    for client in (make.client(Role.VIEWER), make.client(Role.AUDITOR)):
        assert client.get(PAGE, {"to": alice.key}).status_code == 403
        assert client.post(f"{PAGE}?to={alice.key}", {"confirm": alice.name}).status_code == 403
    assert visitor.client.get(PAGE, {"to": "person:999999"}).status_code == 404
    assert visitor.client.get(PAGE).status_code == 404
    stranger = make.client(account=make.account())
    assert stranger.get(PAGE, {"to": alice.key}).status_code == 404
    assert stranger.post(f"{PAGE}?to={alice.key}", {"confirm": alice.name}).status_code == 404
    assert revoked() == [False]
