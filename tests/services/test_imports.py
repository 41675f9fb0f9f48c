"""Imports are added, edited, renewed, deleted, each checked against its export; tokens are issued along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.drafts import ImportDraft, Minting
from identities.claims.imports import Import
from identities.claims.sharing import import_handles
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, AuditTarget, IssuedToken, Key, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import changes, clock, exports, imports, signing
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


def held(account: Account) -> tuple[Import, ...]:
    account.refresh_from_db()
    found: tuple[Import, ...] = changes.claims_of(account).nats.imports
    return found


def handle(account: Account, index: int = 0) -> str:
    return import_handles(held(account))[index]


def draft(
    subject: str, of: Account | str, minting: Minting = Minting.IF_ASKED, **more: object
) -> ImportDraft:
    exporter = of if isinstance(of, str) else of.public_key
    expires = more.pop("expires", 0)
    values = {"type": "stream", "name": subject, **more}
    return ImportDraft(
        imported=Import(subject=subject, account=exporter, **values),
        minting=minting,
        expires=expires,  # type: ignore[arg-type]
    )


def planned(account: Account, wanted: ImportDraft, by: Principal = make.COMMAND) -> changes.Change:
    return imports.plan_add(by, account, wanted)


def said(change: changes.Change) -> list[tuple[str, str]]:
    return [(issue.grade.value, issue.path) for issue in change.report]


def test_a_public_export_is_imported_without_a_token(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    one = make.imported(billing, "orders.new", of=orders, local_subject="from.orders")
    assert (one.token, one.local_subject) == ("", "from.orders")
    assert held(billing) == (one,)
    assert AuditEvent.objects.latest("seq").action == "import.edit"
    assert not IssuedToken.objects.activations().exists()


def test_for_a_private_export_a_token_is_issued_along(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    change = planned(billing, draft("orders.new", orders))
    assert said(change) == []
    assert imports.FOLLOWS in change.diff[0].after
    assert not IssuedToken.objects.activations().exists()
    one = make.imported(billing, "orders.new", of=orders)
    entry = IssuedToken.objects.activations().get()
    assert entry.text == one.token
    claims = codec.decode(one.token).claims
    assert (claims.sub, claims.nats.subject, claims.nats.kind) == (billing.public_key, "orders.new", "stream")
    assert (claims.iss, claims.nats.issuer_account) == (orders.public_key, "")
    last = AuditEvent.objects.latest("seq")
    assert last.action == "activation.issue"
    assert set(AuditTarget.objects.filter(event=last).values_list("name", flat=True)) == {"Orders", "Billing"}


def test_under_a_strict_operator_a_plain_signing_key_issues_it(db: None) -> None:
    operator = make.operator(require_signing_keys=True)
    orders, billing = make.account(operator, "Orders"), make.account(operator, "Billing")
    make.export(orders, "orders.>", token_req=True)
    claims = codec.decode(make.imported(billing, "orders.>", of=orders).token).claims
    assert claims.iss != orders.public_key
    assert claims.nats.issuer_account == orders.public_key


def test_without_a_right_to_issue_it_it_is_refused_and_said_who_can(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    narrow = make.principal(account=billing)
    make.grant(narrow_person(narrow), Role.VIEWER, account=orders)
    both = fresh(narrow)
    with pytest.raises(IdentityError, match="you may not issue") as refused:
        imports.add(
            principal=both, account=billing, draft=draft("orders.new", orders), version=billing.version
        )
    assert refused.value.field == "minting"
    assert "administrator of that account" in refused.value.user_message
    assert held(billing) == ()


def test_of_an_exporter_that_may_not_be_seen_nothing_is_said(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    narrow = make.principal(account=billing)
    assert said(planned(billing, draft("orders.new", orders), narrow)) == []
    with pytest.raises(IdentityError, match="that you may see") as refused:
        planned(billing, draft("orders.new", orders, Minting.YES), narrow)
    assert "Orders" not in refused.value.user_message


def narrow_person(principal: Principal) -> object:
    from identities.models import Person

    return Person.objects.get(pk=principal.person_id)


def fresh(principal: Principal) -> Principal:
    from identities import lookup

    return lookup.person_principal(narrow_person(principal))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("export", "wanted", "found"),
    [
        ({"subject": "other"}, {}, [("warning", "nats.imports[0].subject")]),
        ({"subject": "orders.>", "type": "service"}, {}, [("error", "nats.imports[0].type")]),
        ({"subject": "orders.new.*"}, {"subject": "orders.new.>"}, [("error", "nats.imports[0].subject")]),
        ({"subject": "orders.>", "token_req": True}, {}, [("warning", "nats.imports[0].token")]),
        (
            {"subject": "orders.>"},
            {"local_subject": "a.b c"},
            [("error", "nats.imports[0].local_subject")] * 2,
        ),
    ],
)
def test_an_import_is_checked_against_its_export(
    orders: Account,
    billing: Account,
    export: dict[str, object],
    wanted: dict[str, str],
    found: list[tuple[str, str]],
) -> None:
    make.export(orders, **export)  # type: ignore[arg-type]
    subject = wanted.pop("subject", "orders.new")
    assert said(planned(billing, draft(subject, orders, Minting.NO, **wanted))) == found


def test_nothing_is_asked_of_an_exporter_elsewhere(billing: Account) -> None:
    assert said(planned(billing, draft("orders.>", STRANGER))) == []
    one = make.imported(billing, "orders.>", of=STRANGER)
    assert one.token == ""


def test_a_ring_of_imports_is_refused_by_name(operator: Operator, orders: Account, billing: Account) -> None:
    make.export(orders, "help", type="service")
    make.export(billing, "help", type="service")
    make.imported(billing, "help", of=orders, type="service")
    with pytest.raises(changes.InvalidClaims, match="“Orders” → “Billing” → “Orders”"):
        make.imported(orders, "help", of=billing, type="service")


def test_findings_that_were_there_before_do_not_stop_an_edit(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", type="service")
    bad = Import(subject="orders.>", account=orders.public_key, type="stream", name="old")
    rewritten(billing, bad)
    change = imports.plan_edit(
        make.COMMAND, billing, handle(billing), ImportDraft(imported=replace(bad, name="new"))
    )
    assert said(change) == []
    assert [one.path.rpartition(".")[2] for one in change.diff] == ["name"]
    again = imports.plan_edit(
        make.COMMAND, billing, handle(billing), ImportDraft(imported=replace(bad, subject="elsewhere"))
    )
    assert said(again) == [("warning", "nats.imports[0].subject")]


def rewritten(account: Account, *entries: Import) -> None:
    from identities.services import accounts

    accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(row, changes.edit_body(imports=entries), now=0),
        version=account.version,
        done="Imported",
    )
    account.refresh_from_db()


def test_a_token_that_has_expired_is_renewed(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    old = make.imported(billing, "orders.new", of=orders)
    exports.revoke(
        principal=make.COMMAND,
        account=orders,
        handle=_export_handle(orders),
        target="*",
        at=clock.unix() + 1,
        version=orders.version,
    )
    wanted = imports.renewal(billing, handle(billing), clock.unix() + 3600)
    change = imports.plan_edit(make.COMMAND, billing, handle(billing), wanted)
    assert [(one.path.rpartition(".")[2], one.after) for one in change.diff] == [("token", imports.FOLLOWS)]
    assert change.diff[0].before.startswith("a token, SHA-256")
    imports.edit(
        principal=make.COMMAND, account=billing, handle=handle(billing), draft=wanted, version=billing.version
    )
    (one,) = held(billing)
    claims = codec.decode(one.token).claims
    assert one.token != old.token
    assert claims.exp > clock.unix()
    assert claims.iat > changes.claims_of(Account.objects.get(pk=orders.pk)).nats.exports[0].revocations["*"]


def _export_handle(account: Account) -> str:
    from identities.claims.sharing import export_handles

    account.refresh_from_db()
    return export_handles(changes.claims_of(account).nats.exports)[0]


def test_a_token_is_not_issued_where_none_is_asked_for(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>")
    make.export(orders, "own.*", account_token_position=2)
    for subject, words in (
        ("orders.new", "asks for no token"),
        ("own.x", "asks for no token"),
        ("else", "nothing to open"),
    ):
        with pytest.raises(IdentityError, match=words) as refused:
            planned(billing, draft(subject, orders, Minting.YES))
        assert refused.value.field == "minting"


def test_an_expiry_in_the_past_is_refused_at_its_field(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    with pytest.raises(IdentityError) as refused:
        planned(billing, draft("orders.>", orders, expires=5))
    assert refused.value.field == "token_expires"


def test_without_a_seed_here_no_token_is_issued(operator: Operator, billing: Account) -> None:
    orders = make.account(operator, "Orders", public_key=STRANGER)
    make.export(orders, "orders.>", token_req=True)
    with pytest.raises(IdentityError, match="seed here") as refused:
        make.imported(billing, "orders.>", of=orders)
    assert refused.value.field == "minting"
    assert not IssuedToken.objects.activations().exists()
    assert held(billing) == ()


def test_a_given_token_is_kept_and_judged(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.>", token_req=True)
    text = make.imported(billing, "orders.>", of=orders).token
    other = make.account(orders.operator, "Other")
    with pytest.raises(changes.InvalidClaims, match="doesn't match account it is being included in"):
        make.imported(other, "orders.>", of=orders, token=text)
    assert IssuedToken.objects.activations().count() == 1


def test_deleting_an_import_says_what_clients_no_longer_get(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.*")
    make.imported(billing, "orders.*", of=orders, local_subject="eu.$1")
    change = imports.plan_delete(billing, handle(billing))
    assert change.consequences == ("Clients of “Billing” can no longer receive eu.*.",)
    imports.delete(principal=make.COMMAND, account=billing, handle=handle(billing), version=billing.version)
    assert held(billing) == ()


def test_a_viewer_may_not(orders: Account, billing: Account) -> None:
    make.export(orders, "orders.*")
    make.imported(billing, "orders.*", of=orders)
    viewer = make.principal(Role.VIEWER)
    with pytest.raises(Forbidden):
        imports.add(principal=viewer, account=billing, draft=draft("a", orders), version=billing.version)
    with pytest.raises(Forbidden):
        imports.edit(
            principal=viewer,
            account=billing,
            handle=handle(billing),
            draft=draft("a", orders),
            version=billing.version,
        )
    with pytest.raises(Forbidden):
        imports.delete(principal=viewer, account=billing, handle=handle(billing), version=billing.version)


def test_the_ledger_of_the_importing_account_is_not_mixed_with_its_tokens(
    orders: Account, billing: Account
) -> None:
    make.export(orders, "orders.>", token_req=True)
    make.imported(billing, "orders.>", of=orders)
    assert set(IssuedToken.objects.of([billing.public_key]).values_list("kind", flat=True)) == {"account"}
    assert signing.last_iats([billing.public_key]) == {billing.public_key: billing.last_iat}
    assert Key.objects.filter(public_key=billing.public_key).count() == 1
