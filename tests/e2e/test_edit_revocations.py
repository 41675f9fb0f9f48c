"""Revocations in a browser: a user by name, all users, cleared, compacted."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from identities.models import Account
from identities.services import changes
from tests import make
from tests.e2e.dialogs import BOTH_WAYS, address, opened, saved, shown, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@BOTH_WAYS
def test_users_are_revoked_cleared_and_compacted(request: pytest.FixtureRequest, script: bool) -> None:
    make.installation()
    account = make.account(make.operator("Test"), "Shop")
    user = make.user(account, "sensor")
    page = signed_in(request, script=script)
    page.goto(address(account, "revocations/"))
    form = opened(page, "Revoke")
    form.get_by_label("User", exact=True).fill("sensor")
    shown(page, form, "“sensor” is dropped", script=script)
    saved(page, "Revoke", "Revoked.")
    expect(page.locator("#revocation-list")).to_contain_text("sensor")
    form = opened(page, "Revoke")
    form.get_by_label("All users (*)").check()
    if script:
        expect(form.get_by_label("User", exact=True)).to_be_hidden()
    saved(page, "Revoke", "Revoked.")
    form = opened(page, "Compact")
    expect(form).to_contain_text("1 entry covered by the entry for all users")
    saved(page, "Compact", "Compacted: 1 entry dropped.")
    held = changes.claims_of(Account.objects.get(pk=account.pk)).nats.revocations
    assert set(held) == {"*"}
    form = opened(page, "Clear the revocation of All users")
    expect(form).to_contain_text("the current ones of 1 user")
    saved(page, "Clear revocation", "Cleared.")
    expect(page.get_by_role("heading", name="Nobody is revoked")).to_be_visible()
    assert user.public_key not in changes.claims_of(Account.objects.get(pk=account.pk)).nats.revocations
