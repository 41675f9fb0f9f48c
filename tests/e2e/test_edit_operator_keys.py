"""An operator's signing keys and system account in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from identities.models import Account, Operator
from identities.services import changes
from tests import make
from tests.e2e.dialogs import BOTH_WAYS, address, opened, saved, shown, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@BOTH_WAYS
def test_a_key_takes_the_place_of_another_and_a_system_account_of_another(
    request: pytest.FixtureRequest, script: bool
) -> None:
    make.installation()
    operator = make.operator("Test")
    make.account(operator, "Ops")
    first = changes.claims_of(operator).nats.signing_keys[0]
    page = signed_in(request, script=script)
    page.goto(address(operator, "signing-keys/"))
    opened(page, "Add signing key")
    saved(page, "Add signing key", "Added a signing key.")
    form = opened(page, f"Remove the signing key {first[:4]}…{first[-4:]}")
    expect(form).to_contain_text("It signed 2 accounts (“Ops”, “SYS”)")
    saved(page, "Remove signing key", "Removed the signing key")
    (second,) = changes.claims_of(Operator.objects.get()).nats.signing_keys
    assert second != first
    assert set(Account.objects.values_list("issuer", flat=True)) == {second}
    page.goto(address(operator))
    form = opened(page, "Edit System account")
    form.get_by_label("System account").fill("Ops")
    shown(page, form, "users of “Ops” see the events of all accounts", script=script)
    saved(page, "Save", "Saved the system account")
    assert Operator.objects.get().system_account == Account.objects.get(name="Ops").public_key
