"""An installation with something of everything, so that no page is shown empty that can be full."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from identities.claims import codec, recipes
from identities.claims.account import ExternalAuthorization, MsgTrace
from identities.claims.drafts import ActivationDraft, RoleDraft, SigningKeyDraft
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.claims.presets import Edition, Preset, PresetDraft, parameters_of
from identities.claims.presets_text import lines_of
from identities.claims.recipes import Side
from identities.claims.sharing import export_handles, import_handles
from identities.models import Account, Cluster, Holding, Job, Operator, Server, User
from identities.nkeys import KeyKind, KeyPair
from identities.services import (
    accounts,
    activations,
    adopting,
    allowing,
    changes,
    client_tests,
    clock,
    cluster_tests,
    filling,
    import_jobs,
    jobs,
    keys,
    mappings,
    operator_keys,
    presets,
    pushes,
    reissuing,
    reissuing_operators,
    signing,
    signing_keys,
    suspensions,
    unsigned,
    uploads,
    user_keys,
    users,
)
from identities.services.client_tests import Trial, Wish
from identities.services.import_items import Choices
from tests import goldens, make
from tests.e2e import delivery_sample, live_sample
from tests.elsewhere import Elsewhere

UNLIMITED = UserPermissionLimits.unlimited()
DAY = 86_400
LONG = "a-name-that-somebody-made-by-putting-the-whole-path-of-the-service-into-it.production.eu-central-1"


def fill() -> User:
    """Operators, accounts, users, history and a client test; the user that has most to show."""
    call_command("demo", stdout=io.StringIO())
    operator = Operator.objects.get(name="Test")
    account = Account.objects.get(name="TestAccount")
    user = User.objects.get(name="TestService")
    operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    make.operator("Strict", require_signing_keys=True, tags=("env:prod",), expires=clock.unix() + 20 * DAY)
    make.operator("Bare", system_account=False, generate_signing_key=False)
    _accounts(operator)
    _settings(account)
    _shared(operator, Account.objects.get(pk=account.pk))
    _users(account)
    _roles()
    user = _history(account, user)
    _tests(user)
    _keys(operator)
    _findings(operator)
    _reissued()
    _imports(operator)
    _offline()
    _presets(account)
    _pushed(Account.objects.get(pk=account.pk))
    _drifting(account)
    _reached(account.operator)
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


def _settings(account: Account) -> None:
    """Everything that an account and an operator can say beside that, on the account that is visited first."""

    def again() -> dict[str, Any]:
        row = Account.objects.get(pk=account.pk)
        return {"principal": make.COMMAND, "account": row, "version": row.version}

    ways = [
        WeightedMapping(subject="orders.new.$1", weight=60),
        WeightedMapping(subject="orders.old.$1", weight=30),
    ]
    clusters = [WeightedMapping(subject="eu.{{partition(3,1)}}", cluster="eu-central-1")]
    mappings.put(**again(), source="orders.*", targets=ways)
    mappings.put(
        **again(), source="jobs.*", targets=[*clusters, WeightedMapping(subject="jobs.all.$1", weight=40)]
    )
    made = {
        "authorization": ExternalAuthorization(
            auth_users=(User.objects.get(name="TestClient").public_key,),
            allowed_accounts=(
                Account.objects.get(name="Orders").public_key,
                KeyPair.create(KeyKind.ACCOUNT).public.text,
            ),
            xkey=KeyPair.create(KeyKind.CURVE).public.text,
        ),
        "default_permissions": Permissions(
            pub=Permission(allow=("public.>", f"{LONG}.>")), resp=ResponsePermission(max=-1, ttl=0)
        ),
        "trace": MsgTrace(dest="traces.shop", sampling=25),
        "cluster_traffic": "owner",
    }
    row = Account.objects.get(pk=account.pk)
    change = changes.plan(row, changes.edit_body(**made), now=clock.unix())
    with transaction.atomic():
        accounts.commit(row, change, principal=make.COMMAND, done="Set")
    entries = {KeyPair.create(KeyKind.USER).public.text: clock.unix() - number * DAY for number in range(60)}
    accounts.revoke(principal=make.COMMAND, account=row, entries={**entries, "*": clock.unix() - 50 * DAY})


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


def _roles() -> None:
    """Signing keys of every kind, users of a role, one of a removed key, one with a new key, one that is suspended."""
    template = replace(
        UNLIMITED,
        pub=Permission(allow=("orders.{{name()}}.>", "{{tag(team)}}.reports"), deny=("orders.*.secret",)),
        sub=Permission(allow=("replies.{{subject()}}.>", "region.{{tag(region)}}")),
        proxy_required=True,
    )
    worker = RoleDraft(role="worker", description="What works on orders.", template=template)
    orders, tiers = Account.objects.get(name="Orders"), Account.objects.get(name="Tiers")
    role = _key(orders, role=worker)
    orders = Account.objects.get(pk=orders.pk)
    make.user(orders, "picker", signer=role, tags=("team:blue", "team:red"))
    make.user(orders, "packer", signer=role)
    rotated = make.user(orders, "rotated", signer=role)
    user_keys.rotate(principal=make.COMMAND, user=rotated, version=rotated.version)
    out = make.user(orders, "on leave", signer=role)
    suspensions.suspend(principal=make.COMMAND, user=out, version=out.version)
    _key(tiers)
    _key(tiers, public_key=KeyPair.create(KeyKind.ACCOUNT).public.text)
    former = _key(tiers, role=RoleDraft(role="former"))
    tiers = Account.objects.get(pk=tiers.pk)
    make.user(tiers, "orphan", signer=former)
    signing_keys.remove(principal=make.COMMAND, account=tiers, public_key=former, version=tiers.version)


def _key(account: Account, **draft: Any) -> str:
    row = Account.objects.get(pk=account.pk)
    made = SigningKeyDraft(**draft)
    return signing_keys.add(principal=make.COMMAND, account=row, draft=made, version=row.version).public_key


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


def _keys(operator: Operator) -> None:
    for kind in (KeyKind.ACCOUNT, KeyKind.CURVE):
        keys.generate(principal=make.COMMAND, operator=operator, kind=kind)


def _findings(operator: Operator) -> None:
    """What the validation has to say: imports that find nothing, users that are revoked."""
    account = make.account(operator, "Importer")
    users_there = make.many_users(account, [f"old-{number}" for number in range(8)])
    entries = {user.public_key: user.last_iat for user in users_there}
    accounts.revoke(principal=make.COMMAND, account=account, entries=entries)
    exporter, stranger = Account.objects.get(name="Orders"), KeyPair.create(KeyKind.ACCOUNT).public.text
    imports = (
        Import(name="missing", subject="orders.>", account=exporter.public_key, type="stream"),
        Import(name="elsewhere", subject="news", account=stranger, type="stream"),
    )
    row = Account.objects.get(pk=account.pk)
    accounts.rewrite(
        principal=make.COMMAND,
        account=row,
        plan=lambda held: changes.plan(held, changes.edit_body(imports=imports), now=clock.unix()),
        version=row.version,
        done="Added imports",
    )


def _reissued() -> None:
    """An operator that servers come over to, and bulk work of the worker: half done, and done with some left."""
    rolled = make.operator("Rolled", generate_signing_key=False)
    account = make.account(rolled, "Moved")
    make.user(account, "ann")
    rolled = reissuing_operators.reissue(
        principal=make.COMMAND, operator=rolled, version=Operator.objects.get(pk=rolled.pk).version
    ).operator
    payload = {"old": "", "source": "", "target": "", "reason": "", "total": 40_000}
    below = {"operator": rolled.pk, "source": "", "target": "", "reason": "", "total": 120}
    running = jobs.enqueue(
        principal=make.COMMAND, kind=reissuing.KIND, payload={"account": account.pk, **payload}
    )
    Job.objects.filter(pk=running.pk).update(state="running", done=12_500, total=40_000)
    over = jobs.enqueue(principal=make.COMMAND, kind=reissuing.KIND, payload=below)
    left = json.dumps({"signed": 118, "left": ["Orders", "Tiers"], "left_count": 2})
    Job.objects.filter(pk=over.pk).update(state="done", result=left, finished_at=clock.now())


def _pushed(account: Account) -> None:
    """The account's operator takes pushes, and one that the account signed itself waits."""
    password = pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=True)
    claims = replace(
        changes.claims_of(account), nats=replace(changes.claims_of(account).nats, tags=("env:qa",))
    )
    with signing.signer_for(account.keys.get(public_key=account.public_key)) as pair:
        text = codec.encode(claims, pair, account.last_iat + 60).text
    pushes.receive(
        operator_id=account.operator_id,
        account_key=account.public_key,
        text=text,
        password=password,
        address="192.0.2.7",
    )


def _drifting(account: Account) -> None:
    """A cluster of two servers that hold other JWTs than they should of some accounts."""
    moment = clock.now()
    cluster = Cluster.objects.create(
        operator=account.operator,
        name="East",
        name_fold="east",
        urls="tls://nats.example.com:4222",
        state="up",
        checked_at=moment,
        compared_at=moment,
        created_at=moment,
        updated_at=moment,
        updated_by="alice",
    )
    others = Account.objects.live().filter(operator=account.operator).order_by("pk")[:4]
    keys = [one.public_key for one in others]
    states = {
        "n1": ("same", "missing", "newer", "refused", "extra"),
        "n2": ("same", "older", "different", "unknown", "expired"),
    }
    for name, held in states.items():
        server = Server.objects.create(
            cluster=cluster,
            name=name,
            nats_cluster="east",
            version="2.15.1",
            resolver="full",
            allow_delete=True,
            operator_keys=json.dumps({account.operator.public_key: account.operator.last_iat}),
            first_seen_at=moment,
            seen_at=moment,
        )
        for key, state in zip([*keys, KeyPair.create(KeyKind.ACCOUNT).public.text], held, strict=True):
            Holding.objects.create(
                server=server, account_key=key, state=state, iat=account.last_iat if state != "missing" else 0,
                said="jwt validation failed" if state == "refused" else "", at=moment,
            )  # fmt: skip
    live_sample.fill(cluster, account)
    delivery_sample.fill(cluster, others[2])


def _reached(operator: Operator) -> None:
    """A cluster of three servers, of which one is absent, and a test of its connection that found something."""
    moment = clock.now()
    row = Operator.objects.get(pk=operator.pk)
    addresses = ("tls://n1.example.com:4222", "tls://n2.example.com:4222")
    cluster = make.cluster(row, "Production", urls=addresses)
    Cluster.objects.filter(pk=cluster.pk).update(state="up", checked_at=moment)
    for number, seen in ((1, moment), (2, moment), (3, moment - timedelta(hours=2))):
        make.server(
            cluster, f"n{number}", nats_cluster="eu", version="2.15.1", resolver="full", allow_delete=number > 1,
            system_account=row.system_account, started_at=moment - timedelta(days=3), seen_at=seen,
        )  # fmt: skip
    job = cluster_tests.start(principal=make.COMMAND, cluster=cluster)
    steps = [
        ("address", True, "n1.example.com is 192.0.2.11.", ""),
        ("greeting", True, "A nats-server answers, with TLS: n1 2.15.1.", ""),
        ("login", False, "The server refused the login and does not say why.", "Authorization Violation"),
    ]
    told = [{"name": name, "ok": ok, "text": text, "said": said} for name, ok, text, said in steps]
    reasons = [f"It runs with another operator's key than this operator's, {row.public_key}.", "Or …"]
    findings = [
        {
            "grade": "warn",
            "text": "Accounts can't be deleted there: set “allow_delete: true” in its resolver.",
        },
        {"grade": "ok", "text": "It runs with this operator's current JWT."},
    ]
    at = [
        {"url": addresses[0], "ok": False, "server": "n1 2.15.1", "steps": told, "reasons": reasons},
        {"url": addresses[1], "ok": True, "server": "n2 2.15.1", "steps": told[:2], "reasons": []},
    ]
    servers = [{"name": "n2", "cluster": "eu", "version": "2.15.1", "findings": findings}]
    found = {"ok": False, "summary": "1 of 2 addresses work. 1 server answered.", "at": at, "servers": servers,
             "problem": "", "seconds": 1.4}  # fmt: skip
    Job.objects.filter(pk=job.pk).update(state="done", result=json.dumps(found), finished_at=clock.now())


def _offline() -> None:
    """An operator whose key is elsewhere: its edit waits for a signature, and that of an account of its."""
    there = Elsewhere()
    seeds = {there.account.public.text: there.account.seed()}
    text = there.operator_jwt(name="Offline")
    operator = adopting.adopt_operator(principal=make.COMMAND, text=text).row
    account = adopting.adopt_account(
        principal=make.COMMAND, operator=operator, text=there.account_jwt(name="Waits"), seeds=seeds
    ).row
    rows: tuple[Operator | Account, ...] = (operator, account)
    for row in rows:
        change = changes.plan(row, changes.edit_body(tags=("env:prod",)), now=clock.unix())
        unsigned.keep(principal=make.COMMAND, row=row, change=change, version=row.version)


def _presets(account: Account) -> None:
    """An own preset of two versions: one user has the newer, one the older, one was changed by hand since."""
    parts = {"title": "Devices of the shop", "about": "What a `device` of the shop may do."}

    def draft(*subjects: str, news: str = "") -> PresetDraft:
        lines = lines_of(subjects, Side.PUBLISH)
        made = Edition(number=1, lines=lines, parameters=parameters_of(lines), news=news)
        return PresetDraft(edition=made, **parts)

    def fill(user: User, preset: Preset, values: dict[str, str]) -> User:
        row = User.objects.select_related("account__operator").get(pk=user.pk)
        return filling.fill_user(
            principal=make.COMMAND, user=row, preset=preset, values=values, version=row.version
        )

    first = presets.create(
        principal=make.COMMAND,
        draft=draft(f"{LONG}.${{device}} # What it says", "state.${device} # How it is"),
    )
    made = make.many_users(Account.objects.get(pk=account.pk), ["till-1", "till-2", "till-3"])
    for user in made[:2]:
        fill(user, first, {"device": user.name})
    allowing.allow(
        principal=make.COMMAND,
        user=User.objects.select_related("account__operator").get(pk=made[1].pk),
        wish=recipes.Wish(task=recipes.Task.REQUEST, subject="prices"),
        version=User.objects.get(pk=made[1].pk).version,
    )
    newer = draft("state.${device} # How it is", "alarms.> # When it burns", news="Alarms.")
    second = presets.edit(principal=make.COMMAND, key=first.key, draft=newer, version=1)
    fill(made[2], second, {"device": "till-3"})


def preset_pages() -> tuple[str, ...]:
    """The own preset, what its newer version would change, and a user that is filled from it."""
    key = presets.known()[-1].key
    user = User.objects.select_related("account__operator").get(name="till-1")
    keys = [user.account.operator.public_key, user.account.public_key, user.public_key]
    return (
        reverse("preset", args=[key]),
        reverse("preset-renew", args=[key]),
        reverse("user", args=keys),
        f"{reverse('user-preset', args=keys)}?preset={key}",
    )


def _imports(operator: Operator) -> None:
    """An import that was carried out, and the plan of another that asks for a name, a signature and a choice."""
    there = Elsewhere()
    bad = Permission(allow=("a.>.b",))
    moved = [
        there.operator_jwt(name="Moved"),
        there.account_jwt(),
        there.user_jwt(limits=replace(UNLIMITED, pub=bad)),
    ]
    plan = _planned("\n".join(moved).encode(), under="")
    import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())
    assert jobs.work_once(import_jobs.HANDLERS)
    other = Elsewhere()
    newer = there.account_jwt(name="Acc", description="newer")
    texts = [
        other.operator_jwt(name="moved"),
        other.account_jwt(by=other.account, name="Self-signed"),
        *(path.read_text() for path in (goldens.GOLDEN / "basics/stores").rglob("*.jwt")),
        newer,
    ]
    _planned("\n".join(texts).encode(), under=operator.public_key)


def _planned(text: bytes, *, under: str) -> Job:
    upload = uploads.begin()
    uploads.add(upload, "pasted text", text)
    job = import_jobs.begin(principal=make.COMMAND, upload=upload, under=under)
    assert jobs.work_once(import_jobs.HANDLERS)
    job.refresh_from_db()
    return job
