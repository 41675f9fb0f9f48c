"""Taking back all that somebody received, with another key for a role, in a real browser and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from identities.claims.drafts import RoleDraft, ShortLivedDraft, SigningKeyDraft
from identities.lookup import person_principal
from identities.models import Key, Person
from identities.services import creds, short_lived, signing_keys, taking_back
from tests import make
from tests.e2e import crawl

pytestmark = pytest.mark.django_db(transaction=True)

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def address(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where alice takes back what alice received: creds of a user, and two short-lived ones of a role."""
    monkeypatch.setattr(taking_back, "OFFERED_FROM", 2)
    make.installation()
    alice = person_principal(make.person(username="alice"))
    account = make.account(make.operator("Test"), "Orders")
    creds.creds_file(principal=alice, user=make.user(account, "ann"))
    draft = SigningKeyDraft(role=RoleDraft(role="worker"))
    account.refresh_from_db()
    role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    for name in ("a", "b"):
        short_lived.issue(principal=alice, role=role, draft=ShortLivedDraft(name=name))
    return f"{reverse('take-back')}?{urlencode({'to': alice.key})}"


def looked_at(page: Page, accessible: Callable[..., None], name: str) -> None:
    """Wide and light by every rule; narrow and dark for contrast, and that nothing sticks out."""
    accessible(page)
    crawl.shoot(page, f"{name}-wide-light")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    accessible(page, "color-contrast", "target-size")
    sticking = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sticking <= 0, f"{name} is {sticking} px too wide"
    crawl.shoot(page, f"{name}-narrow-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]


def test_another_key_of_a_role_is_chosen_and_the_name_typed(
    open_context: Callable[..., BrowserContext], address: str, accessible: Callable[..., None]
) -> None:
    page = open_context(reduced_motion="reduce", color_scheme="light").new_page()
    crawl.sign_in(page, "alice", make.PASSWORD)
    page.goto(address)
    name = person_principal(Person.objects.get()).name
    expect(page.get_by_text("3 new revocations")).to_be_visible()
    looked_at(page, accessible, "take back, a key offered")
    page.get_by_role("checkbox", name="worker").check()
    page.get_by_role("button", name="Show what that would do").click()
    expect(page.get_by_text("1 new revocation")).to_be_visible()
    looked_at(page, accessible, "take back, a key chosen")
    old = Key.objects.get(role="worker").pk
    page.get_by_label("to confirm").fill(name)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text(f"Revoked all that {name} received: 3 keys in 1 account.")).to_be_visible()
    assert Key.objects.get(pk=old).deleted_at is not None
