"""Exports are added, edited, deleted; activations revoked and allowed again; whose imports stop is told first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities import lookup
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.sharing import export_handles
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, IssuedToken, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, exports, sharing
from tests import make

pytestmark = pytest.mark.django_db
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text


@pytest.fixture
def operator() -> Operator:
    return make.operator("Test")


@pytest.fixture
def orders(operator: Operator) -> Account:
    return make.account(operator, "Orders")


@pytest.fixture
def billing(operator: Operator) -> Account:
    return make.account(operator, "Billing")


def held(account: Account) -> tuple[Export, ...]:
    account.refresh_from_db()
    found: tuple[Export, ...] = changes.claims_of(account).nats.exports
    return found


def handle(account: Account, subject: str) -> str:
    all_of_them = held(account)
    return next(
        name
        for name, one in zip(export_handles(all_of_them), all_of_them, strict=True)
        if one.subject == subject
    )


def test_an_export_stands_in_the_jwt_with_all_that_was_said(orders: Account) -> None:
    wanted = Export(
        name="api",
        subject="orders.api.>",
        type="service",
        token_req=True,
        response_type="Stream",
        response_threshold=5_000_000_000,
        service_latency=ServiceLatency(sampling=50, results="latency.orders"),
        advertise=True,
        allow_trace=True,
        description="Orders",
        info_url="https://example.com",
    )
    saved = exports.add(principal=make.COMMAND, account=orders, export=wanted, version=orders.version)
    assert held(orders) == (wanted,)
    assert saved.version == 2
    event = AuditEvent.objects.latest("seq")
    assert event.action == "export.edit"
    assert "“Orders”" in event.summary


def test_two_that_overlap_are_refused(orders: Account) -> None:
    make.export(orders, "orders.>")
    with pytest.raises(changes.InvalidClaims, match="already exports"):
        make.export(orders, "orders.new")


def test_an_edit_changes_what_was_edited_and_nothing_else(orders: Account) -> None:
    make.export(orders, "a")
    before = make.export(orders, "orders.>", description="old")
    change = exports.plan_edit(
        make.COMMAND, orders, handle(orders, "orders.>"), replace(before, description="new")
    )
    assert [one.path for one in change.diff] == ["nats.exports[orders.> stream].description"]


def test_a_viewer_may_not(orders: Account) -> None:
    viewer = make.principal(Role.VIEWER)
    with pytest.raises(Forbidden, match="account admin"):
        make.export(orders, "a", by=viewer)
    make.export(orders, "a")
    for work in (
        lambda: exports.edit(
            principal=viewer, account=orders, handle=handle(orders, "a"), export=Export(), version=1
        ),
        lambda: exports.delete(principal=viewer, account=orders, handle=handle(orders, "a"), version=1),
        lambda: exports.revoke(
            principal=viewer, account=orders, handle=handle(orders, "a"), target="*", at=1, version=1
        ),
        lambda: exports.clear(
            principal=viewer, account=orders, handle=handle(orders, "a"), target="*", version=1
        ),
    ):
        with pytest.raises(Forbidden):
            work()


def test_a_stale_edit_is_refused(orders: Account) -> None:
    make.export(orders, "a")
    with pytest.raises(changes.StaleWrite):
        exports.delete(principal=make.COMMAND, account=orders, handle=handle(orders, "a"), version=1)


def test_deleting_an_export_names_those_who_import_it(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    change = exports.plan_delete(make.COMMAND, orders, handle(orders, "orders.>"))
    assert len(change.consequences) == 1
    assert change.consequences[0].startswith("“Billing” can no longer import orders.new.")
    exports.delete(
        principal=make.COMMAND, account=orders, handle=handle(orders, "orders.>"), version=orders.version
    )
    assert held(orders) == ()


def test_an_importer_that_may_not_be_seen_is_not_named(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.imported(billing, "orders.new", of=orders)
    narrow = make.principal(account=orders)
    assert exports.plan_delete(narrow, orders, handle(orders, "orders.>")).consequences == ()
    wide = make.principal(operator=orders.operator)
    assert "Billing" in exports.plan_delete(wide, orders, handle(orders, "orders.>")).consequences[0]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"subject": "orders.old"}, "exports no stream that covers orders.new"),
        ({"type": "service"}, "as a service, not as a stream"),
        ({"token_req": True}, "is private"),
        ({"subject": "orders.*", "account_token_position": 2}, "own key"),
    ],
)
def test_an_edit_says_whose_import_it_breaks(
    orders: Account, billing: Account, edit: dict[str, object], said: str
) -> None:
    before = make.export(orders, "orders.new")
    make.imported(billing, "orders.new", of=orders)
    change = exports.plan_edit(
        make.COMMAND,
        orders,
        handle(orders, "orders.new"),
        replace(before, **edit),  # type: ignore[arg-type]
    )
    assert [said in line for line in change.consequences] == [True]


def test_an_edit_that_breaks_nothing_says_nothing(orders: Account, billing: Account) -> None:
    before = make.export(orders, "orders.new")
    make.imported(billing, "orders.new", of=orders)
    for edit in ({"subject": "orders.*"}, {"description": "x"}):
        change = exports.plan_edit(
            make.COMMAND,
            orders,
            handle(orders, "orders.new"),
            replace(before, **edit),  # type: ignore[arg-type]
        )
        assert change.consequences == ()


def test_many_broken_imports_are_counted(orders: Account, operator: Operator) -> None:
    make.export(orders, "orders.>")
    importer = make.account(operator, "Many")
    many = tuple(
        Import(subject=f"orders.{number}", account=orders.public_key, type="stream")
        for number in range(sharing.MOST_NAMED + 3)
    )
    accounts.rewrite(
        principal=make.COMMAND,
        account=importer,
        plan=lambda row: changes.plan(row, changes.edit_body(imports=many), now=0),
        version=importer.version,
        done="Imported many",
    )
    lines = exports.plan_delete(make.COMMAND, orders, handle(orders, "orders.>")).consequences
    assert len(lines) == sharing.MOST_NAMED + 1
    assert lines[-1] == "3 more imports stop working."


def test_a_revocation_stands_in_the_export_and_says_whose_import_stops(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.new", of=orders)
    now = clock.unix() + 5
    name = handle(orders, "orders.>")
    change = exports.plan_revoke(make.COMMAND, orders, name, billing.public_key, now)
    assert "“Billing” can no longer import orders.new" in change.consequences[0]
    exports.revoke(
        principal=make.COMMAND, account=orders, handle=name, target="*", at=now, version=orders.version
    )
    assert held(orders)[0].revocations == {"*": now}
    assert AuditEvent.objects.latest("seq").action == "activation.revoke"


def test_an_earlier_revocation_than_the_one_that_stands_is_refused_in_words(orders: Account) -> None:
    make.export(orders, "a", token_req=True, revocations={STRANGER: 1_700_000_000})
    with pytest.raises(IdentityError, match="Later activations"):
        exports.plan_revoke(make.COMMAND, orders, handle(orders, "a"), STRANGER, 1_600_000_000)


def test_revoking_is_not_blocked_by_what_else_is_wrong_but_by_a_wrong_key(orders: Account) -> None:
    make.export(orders, "a", token_req=True)
    broken = changes.claims_of(orders)
    Account.objects.filter(pk=orders.pk).update(
        claims=orders.claims.replace('"subject":"a"', '"subject":"a.>.b"').replace(
            '"type":"stream"', '"response_type":"Nonsense","type":"stream"'
        )
    )
    assert changes.check(changes.claims_of(Account.objects.get(pk=orders.pk)), broken, now=0).blocking
    name = handle(orders, "a.>.b")
    exports.revoke(
        principal=make.COMMAND, account=orders, handle=name, target=STRANGER, at=5, version=orders.version
    )
    assert held(orders)[0].revocations == {STRANGER: 5}
    with pytest.raises(changes.InvalidClaims, match="revokes nobody"):
        exports.revoke(
            principal=make.COMMAND, account=orders, handle=name, target="U", at=5, version=orders.version
        )


def test_clearing_a_revocation_says_what_counts_again(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True, revocations={"*": 5, STRANGER: 7})
    name = handle(orders, "orders.>")
    change = exports.plan_clear(make.COMMAND, orders, name, "*")
    assert change.consequences[0].startswith("Activations of every account")
    exports.clear(principal=make.COMMAND, account=orders, handle=name, target="*", version=orders.version)
    assert held(orders)[0].revocations == {STRANGER: 7}
    with pytest.raises(lookup.NotFound):
        exports.plan_clear(make.COMMAND, orders, name, "*")


def test_an_entry_that_holds_nothing_can_be_deleted(orders: Account) -> None:
    make.export(orders, "a")
    Account.objects.filter(pk=orders.pk).update(
        claims=orders.claims.replace('"exports":[', '"exports":[null,')
    )
    orders.refresh_from_db()
    exports.delete(
        principal=make.COMMAND,
        account=orders,
        handle=export_handles((None,))[0],
        version=orders.version,
    )
    assert [one.subject for one in held(orders)] == ["a"]


def test_nothing_is_signed_for_no_change(orders: Account) -> None:
    same = make.export(orders, "a")
    signed = IssuedToken.objects.count()
    exports.edit(
        principal=make.COMMAND,
        account=orders,
        handle=handle(orders, "a"),
        export=same,
        version=orders.version,
    )
    assert IssuedToken.objects.count() == signed
