"""An account's settings and limits in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from identities.claims.account import AccountBody
from identities.claims.limits import JetStreamLimits
from identities.models import Account
from identities.services import changes
from tests import make
from tests.e2e.dialogs import BOTH_WAYS, address, opened, quiet, saved, shown, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def body(account: Account) -> AccountBody:
    found: AccountBody = changes.claims_of(Account.objects.get(pk=account.pk)).nats
    return found


@BOTH_WAYS
def test_each_setting_has_a_dialog_of_its_own(request: pytest.FixtureRequest, script: bool) -> None:
    make.installation()
    account = make.account(make.operator("Test"), "Shop")
    user = make.user(account, "svc")
    page = signed_in(request, script=script)
    page.goto(address(account))
    form = opened(page, "Edit Default permissions")
    form.get_by_label("May publish to").fill("orders.>")
    shown(page, form, "It applies at once, without a new login, to the one user", script=script)
    saved(page, "Save", "Saved: default permissions")
    form = opened(page, "Edit Message tracing")
    form.get_by_label("Sampling in %").fill("5")
    quiet(page)
    form.get_by_role("button", name="Save", exact=True).click()
    expect(form.get_by_text("Give the subject that traces are sent to")).to_be_visible()
    form.get_by_label("Destination").fill("traces")
    saved(page, "Save", "Saved: message tracing")
    form = opened(page, "Edit Cluster traffic")
    form.get_by_label("owner: this account itself").check()
    saved(page, "Save", "Saved: cluster traffic")
    form = opened(page, "Edit Auth callout")
    form.get_by_label("svc").check()
    form.get_by_label("Every account").check()
    form.get_by_label("Make a new curve key here").check()
    saved(page, "Save", "Saved: auth callout")
    expect(page.locator(".settings")).to_contain_text("Auth user: svc")
    found = body(account)
    assert found.authorization.auth_users == (user.public_key,)
    assert found.authorization.allowed_accounts == ("*",)
    assert found.authorization.xkey.startswith("X")
    assert found.cluster_traffic == "owner"
    assert found.trace is not None
    assert (found.trace.dest, found.trace.sampling) == ("traces", 5)
    assert found.default_permissions.pub.allow == ("orders.>",)


@BOTH_WAYS
def test_jetstream_is_switched_on_and_its_limits_are_moved_to_a_tier(
    request: pytest.FixtureRequest, script: bool
) -> None:
    make.installation()
    account = make.account(make.operator("Test"), "Shop")
    page = signed_in(request, script=script)
    page.goto(address(account))
    form = opened(page, "Limits")
    storage = form.get_by_label("Max disk storage").first
    expect(storage).to_be_hidden()
    form.get_by_label("Switched on").check()
    expect(storage).to_be_visible()
    storage.fill("1 GiB")
    shown(page, form, "nats.limits.disk_storage", script=script)
    quiet(page)
    form.get_by_role("button", name="Move these to the tier R3").click()
    expect(form.get_by_text("JetStream tier R3")).to_be_visible()
    expect(form.get_by_label("Max disk storage").first).to_be_hidden()
    saved(page, "Save", "Saved the limits")
    assert body(account).limits.tiered_limits == {"R3": JetStreamLimits(disk_storage=2**30)}
    form = opened(page, "Limits")
    form.get_by_label("Switched on").uncheck()
    saved(page, "Save", "Saved the limits")
    assert not body(account).limits.jetstream_enabled
