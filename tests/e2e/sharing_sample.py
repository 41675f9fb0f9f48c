"""What accounts share, requests for tokens among it, and the pages that show it."""

from __future__ import annotations

from django.urls import reverse

from identities.claims.drafts import ActivationDraft
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.sharing import export_handles, import_handles
from identities.models import (
    Account,
    ActivationRequest,
    Operator,
)
from identities.nkeys import KeyKind, KeyPair
from identities.services import (
    accounts,
    activation_requests,
    activations,
    changes,
    clock,
)
from tests import make
from tests.e2e.much import DAY, LONG


def fill(operator: Operator, account: Account) -> None:
    """What accounts share, good and bad: `account` offers and takes, and has issued activations."""
    stock, reports = make.account(operator, "Stock"), make.account(operator, "Reports")
    elsewhere = KeyPair.create(KeyKind.ACCOUNT).public.text
    latency = ServiceLatency(sampling=50, results="latency.stock")
    offered = (
        Export(name="stock levels", subject="stock.*.*", type="stream", description="How much of what is where."),
        Export(name="ask for stock", subject="stock.ask.>", type="service", token_req=True, response_type="Stream",
               response_threshold=5_000_000_000, service_latency=latency, info_url="https://example.com"),
        Export(name=LONG, subject=f"{LONG.replace('.', '-')}.*", type="stream", account_token_position=2),
    )  # fmt: skip
    _signed(stock, exports=offered)
    _signed(
        account,
        exports=(
            Export(name="events", subject="orders.>", type="stream", token_req=True,
                   revocations={"*": 1_650_000_000, elsewhere: 1_650_000_001}),
            Export(name="api", subject="orders.api.*", type="service", description="Prices and dates."),
        ),
        imports=(
            Import(name="far", subject="far.>", account=elsewhere, type="stream"),
            Import(name="gone", subject="gone", account=stock.public_key, type="stream"),
        ),
    )  # fmt: skip
    make.imported(account, "stock.*.*", of=stock, name="levels", local_subject="here.$2.$1")
    make.imported(account, "stock.ask.>", of=stock, name="ask", type="service", share=True)
    make.imported(reports, "orders.eu.>", of=account)
    make.imported(reports, "orders.api.*", of=account, type="service")
    handle = export_handles(changes.claims_of(account).nats.exports)[0]
    for draft in (
        ActivationDraft(target=elsewhere, subject="orders.us.>", expires=clock.unix() + 20 * DAY),
        ActivationDraft(target=elsewhere, subject="orders.>"),
    ):
        activations.issue(principal=make.COMMAND, account=account, handle=handle, draft=draft)
    _asked(account, reports, elsewhere)


def _asked(account: Account, reports: Account, elsewhere: str) -> None:
    """Requests for tokens: one to a key that is nowhere here, one that waits for an answer, and answered ones."""
    make.activation_request(
        account,
        elsewhere,
        f"{LONG}.>",
        by=make.COMMAND,
        local_subject="here.>",
        reason="For the audit. " * 40,
    )
    asker = make.principal(account=reports)
    for subject in ("orders.eu.*", "orders.us.*", "orders.ask.*"):
        make.activation_request(reports, account, subject, by=asker)
    no, yes = ActivationRequest.objects.asked_of(account).waiting().order_by("-pk")[:2]
    activation_requests.decline(principal=make.COMMAND, account=account, request=no, note="Use orders.api.")
    activation_requests.grant(principal=make.COMMAND, account=account, request=yes, note="Until summer.")


def asked_pages() -> tuple[str, ...]:
    """Requests for tokens, as either side sees them."""
    waits = ActivationRequest.objects.waiting().select_related("importer__operator")
    account = Account.objects.select_related("operator").get(name="TestAccount")
    granted = (
        ActivationRequest.objects.filter(state="granted").select_related("importer__operator").latest("pk")
    )
    base = (account.operator.public_key, account.public_key)
    other = (granted.importer.operator.public_key, granted.importer.public_key)
    return (
        f"{reverse('activation-requests', args=base)}?all=1",
        reverse("activation-request", args=[*base, waits.get(importer=account).pk]),
        reverse(
            "activation-request", args=[*base, ActivationRequest.objects.asked_of(account).waiting()[0].pk]
        ),
        reverse("activation-request", args=[*other, granted.pk]),
    )


def shared_pages() -> tuple[str, ...]:
    """Addresses of lists and entries of what accounts share that have most to show."""
    account = Account.objects.select_related("operator").get(name="TestAccount")
    body = changes.claims_of(account).nats
    export = export_handles(body.exports)[[one.name for one in body.exports].index("events")]
    imported = import_handles(body.imports)[[one.name for one in body.imports].index("ask")]
    base = (account.operator.public_key, account.public_key)
    return (
        *(reverse(name, args=base) for name in ("exports", "imports", "activations")),
        reverse("export", args=[*base, export]),
        reverse("import", args=[*base, imported]),
    )


def _signed(account: Account, *, exports: tuple[Export, ...] = (), imports: tuple[Import, ...] = ()) -> None:
    accounts.rewrite(
        principal=make.COMMAND,
        account=account,
        plan=lambda row: changes.plan(
            row, changes.edit_body(exports=exports, imports=imports), now=clock.unix()
        ),
        version=account.version,
        done="Shared by account",
    )
    account.refresh_from_db()
