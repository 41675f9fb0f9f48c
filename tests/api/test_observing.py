"""What the API tells of the audit: no more than the pages do."""

from __future__ import annotations

import pytest

from identities.models import AuditEvent
from identities.policy.principal import Role
from tests import make
from tests.api.calls import caller

pytestmark = pytest.mark.django_db


def test_an_event_that_names_something_out_of_sight_as_well_tells_no_summary() -> None:
    orders = make.account(name="Orders")
    secret = make.account(orders.operator, "Manhattan")
    make.export(orders, "orders.>", token_req=True)
    make.imported(secret, "orders.>", of=orders)
    named = AuditEvent.objects.filter(summary__contains="Manhattan", targets__key=orders.public_key)
    assert named.exists()
    seen = caller(Role.ADMINISTRATOR, account=orders).get("audit?limit=100")
    assert seen.data["items"]
    assert set(named.values_list("seq", flat=True)) & {one["seq"] for one in seen.data["items"]}
    assert "Manhattan" not in seen.content.decode()
    whole = caller(Role.AUDITOR).get("audit?limit=100")
    assert "Manhattan" in whole.content.decode()
