"""An installation with something of everything, so that no page is shown empty that can be full."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from django.core.management import call_command
from django.urls import reverse

from identities.claims.drafts import ActivationDraft
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.claims.permissions import Permission, ResponsePermission, TimeRange, UserPermissionLimits
from identities.claims.sharing import export_handles, import_handles
from identities.models import Account, Job, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import accounts, activations, changes, client_tests, clock, users
from identities.services.client_tests import Trial, Wish
from tests import make

UNLIMITED = UserPermissionLimits.unlimited()
DAY = 86_400
LONG = "a-name-that-somebody-made-by-putting-the-whole-path-of-the-service-into-it.production.eu-central-1"


def fill() -> User:
    """Operators, accounts, users, history and a client test; the user that has most to show."""
    call_command("demo", stdout=io.StringIO())
    operator = Operator.objects.get(name="Test")
    account = Account.objects.get(name="TestAccount")
    user = User.objects.get(name="TestService")
    make.operator("Strict", require_signing_keys=True, tags=("env:prod",), expires=clock.unix() + 20 * DAY)
    make.operator("Bare", system_account=False, generate_signing_key=False)
    _accounts(operator)
    _shared(operator, account)
    _users(account)
    user = _history(account, user)
    _tests(user)
    return user


def _accounts(operator: Operator) -> None:
    limits = OperatorLimits(
        subs=100, conn=10, leaf=0, imports=5, exports=5, data=NO_LIMIT, payload=65_536, wildcards=True,
        mem_storage=2**30, disk_storage=10 * 2**30, streams=5, consumer=50,
    )  # fmt: skip
    make.account(operator, "Orders", limits=limits, description="Orders of the shop.", tags=("env:prod",))
    tiers = {"R1": JetStreamLimits(disk_storage=2**30), "R3": JetStreamLimits(disk_storage=2**30, streams=3)}
    make.account(operator, "Tiers", limits=replace(OperatorLimits.unlimited(), tiered_limits=tiers))
    make.account(operator, LONG, expires=clock.unix() + 2 * DAY)
    make.account(operator, "Own key", public_key=KeyPair.create(KeyKind.ACCOUNT).public.text)
    gone = make.account(operator, "Gone")
    accounts.delete(principal=make.COMMAND, account=gone, version=gone.version)


def _shared(operator: Operator, account: Account) -> None:
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


def _users(account: Account) -> None:
    make.user(account, "sensor", limits=replace(UNLIMITED, bearer_token=True))
    make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
    make.user(account, LONG, expires=clock.unix() + DAY, tags=("team:a", "env:prod"))
    make.user(
        account,
        "full",
        limits=replace(
            UNLIMITED,
            pub=Permission(allow=("orders.>", "audit.*.new"), deny=("orders.secret",)),
            sub=Permission(allow=("orders.> workers", "_INBOX.>"), deny=("private.>",)),
            resp=ResponsePermission(max=5, ttl=5_000_000_000),
            src=("192.0.2.0/24", "2001:db8::/32"),
            times=(TimeRange(start="08:00:00", end="18:00:00"),),
            times_location="Europe/Zurich",
            allowed_connection_types=("STANDARD", "WEBSOCKET"),
            payload=65_536,
        ),
    )
    make.many_users(account, [f"device-{number:03}" for number in range(60)])
    revoked = make.user(account, "revoked")
    users.delete(principal=make.COMMAND, user=revoked, version=revoked.version)


def _history(account: Account, user: User) -> User:
    from identities.claims.drafts import UserEdit

    for subject in ("req.a", "req.b"):
        user = User.objects.get(pk=user.pk)
        limits = replace(UNLIMITED, sub=Permission(allow=(subject,)), resp=ResponsePermission(max=1))
        edit = UserEdit(name=user.name, limits=limits)
        user = users.update(principal=make.COMMAND, user=user, edit=edit, version=user.version)
    return user


def _tests(user: User) -> None:
    wish = Wish(
        trial=Trial.REPLY_AND_REQUEST, url="nats://127.0.0.1:4222", subject="req.a", payload="?", reply="!"
    )
    job = client_tests.start(principal=make.COMMAND, user=user, wish=wish, other=None)
    events = [
        ("connected", "Connected to nats://127.0.0.1:4222 (demo 2.15.1).", "", ""),
        ("received", "Received a message.", "?" * 200, ""),
        (
            "refused",
            "TestService may not publish to req.b.",
            "",
            'Permissions Violation for Publish to "req.b"',
        ),
    ]
    told = [
        {"kind": kind, "at": 0.01 * number, "who": user.name, "text": text, "subject": "req.a", "data": data,
         "size": len(data), "said": said}
        for number, (kind, text, data, said) in enumerate(events)
    ]  # fmt: skip
    result = {"ok": False, "summary": events[-1][1], "seconds": 0.25, "server": "demo 2.15.1", "events": told}
    Job.objects.filter(pk=job.pk).update(state="done", result=json.dumps(result), finished_at=clock.now())
