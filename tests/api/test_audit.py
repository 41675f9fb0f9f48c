"""What the API tells of the audit: no more than the pages do."""

from __future__ import annotations

from datetime import timedelta, timezone
from urllib.parse import urlencode

import pytest

from identities.models import AuditEvent
from identities.policy.principal import Role
from tests import make
from tests.api.calls import Caller, caller

pytestmark = pytest.mark.django_db
WRONG = (
    *(
        "",
        "now",
        "2026-01-01",
        "1700000000",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-13-01T00:00:00Z",
    ),
    *(
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "２026-01-01T00:00:00Z",
    ),
    "2026-01-01T00:00:00+99:00",
)


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


def seqs(call: Caller, **wanted: str) -> set[int]:
    answer = call.get(f"audit?{urlencode({'limit': '200', **wanted})}")
    assert answer.status_code == 200, answer.content
    return {one["seq"] for one in answer.data["items"]}


def test_the_audit_is_asked_by_moment_way_and_words() -> None:
    account = make.account(name="Orders")
    call = caller()
    path = f"operators/{account.operator.public_key}/accounts/{account.public_key}"
    assert call("PATCH", path, {"description": "new"}, If_Match="*").status_code == 200
    events = list(AuditEvent.objects.order_by("seq"))
    everything = {event.seq for event in events}
    assert seqs(call) == everything
    mine = events[-1]
    assert seqs(call, way="token") == {mine.seq}
    assert seqs(call, way="command") == everything - {mine.seq}
    assert seqs(call, way="worker") == set()
    assert mine.seq in seqs(call, q="  ORDERS ") < everything
    assert seqs(call, q="orders", way="token") == {mine.seq}
    middle = events[len(events) // 2].at
    later = {event.seq for event in events if event.at >= middle}
    assert seqs(call, since=middle.isoformat()) == later
    assert seqs(call, until=middle.isoformat()) == everything - later
    elsewhere = middle.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert seqs(call, since=elsewhere.isoformat()) == later
    assert (
        seqs(call, since="2100-01-01T00:00:00Z") == seqs(call, until="1999-12-31T23:59:59.5+01:00") == set()
    )


def test_a_filter_holds_from_page_to_page() -> None:
    make.account()
    call = caller()
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        query = urlencode({"way": "command", "since": "2000-01-01T00:00:00Z", "limit": 2, "cursor": cursor})
        page = call.get(f"audit?{query}").data
        found += [one["seq"] for one in page["items"]]
        cursor = page["next"]
    assert found == sorted(seqs(call, way="command"), reverse=True)


@pytest.mark.parametrize(
    "wanted",
    [
        *({name: text} for name in ("since", "until") for text in WRONG),
        {"way": "door"},
        {"q": "x" * 1001},
    ],
)
def test_a_moment_or_way_that_is_none_is_refused(wanted: dict[str, str]) -> None:
    answer = caller().get(f"audit?{urlencode(wanted)}")
    assert (answer.status_code, answer.data["code"]) == (422, "bad-input")
    assert answer.data["errors"][0]["path"] == next(iter(wanted))


def test_a_summary_is_not_found_by_the_name_of_what_is_out_of_sight() -> None:
    orders = make.account(name="Orders")
    secret = make.account(orders.operator, "Manhattan")
    make.export(orders, "orders.>", token_req=True)
    make.imported(secret, "orders.>", of=orders)
    assert seqs(caller(Role.AUDITOR), q="manhattan")
    assert seqs(caller(account=orders), q="manhattan") == set()
