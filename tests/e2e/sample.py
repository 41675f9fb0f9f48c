"""An installation with something of everything, so that no page is shown empty that can be full."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.db import transaction

from identities.claims.account import ExternalAuthorization, MsgTrace
from identities.claims.drafts import RoleDraft, ShortLivedDraft, SigningKeyDraft
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    TimeRange,
)
from identities.models import (
    Account,
    Job,
    Key,
    Operator,
    User,
)
from identities.nkeys import KeyKind, KeyPair
from identities.policy.terms import LinkWish
from identities.services import (
    accounts,
    changes,
    client_tests,
    clock,
    creds,
    handover_links,
    keys,
    mappings,
    operator_keys,
    short_lived,
    signing_keys,
    suspensions,
    user_keys,
    users,
)
from identities.services.client_tests import Trial, Wish
from tests import make
from tests.e2e import (
    clusters_sample,
    coming_in_sample,
    incoming_sample,
    presets_sample,
    sharing_sample,
    staff_sample,
)
from tests.e2e.much import DAY, LONG, UNLIMITED

OPEN_LINK: list[str] = []
"""The token of a one-time link that opens something."""


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
    sharing_sample.fill(operator, Account.objects.get(pk=account.pk))
    _users(account)
    _roles()
    _handed_out()
    user = _history(account, user)
    _tests(user)
    _keys(operator)
    _findings(operator)
    incoming_sample.reissued()
    incoming_sample.imports(operator)
    incoming_sample.offline()
    presets_sample.fill(account)
    make.proposal(Account.objects.select_related("operator").get(name="Orders"))
    staff_sample.machines()
    staff_sample.fill(Account.objects.get(pk=account.pk))
    coming_in_sample.fill(make.account(operator, "Builds"))
    clusters_sample.pushed(Account.objects.get(pk=account.pk))
    clusters_sample.drifting(account)
    clusters_sample.reached(account.operator)
    clusters_sample.hooked(account.operator)
    return user


def _handed_out() -> None:
    """Creds that somebody received: as files, of a role for a while, one end of each; and links, one of them open."""
    picker = User.objects.select_related("account__operator", "token").get(name="picker")
    creds.creds_file(principal=make.COMMAND, user=picker)
    role = Key.objects.get(public_key=picker.issuer, account=picker.account)
    for number in range(3):
        draft = ShortLivedDraft(name=f"job-{number}", tags=("team:blue", "region:eu"))
        made = short_lived.issue(principal=make.COMMAND, role=role, draft=draft)
    row = Account.objects.get(pk=picker.account_id)
    accounts.revoke(principal=make.COMMAND, account=row, entries={made.public_key: clock.unix() + 60})
    full = User.objects.select_related("account__operator", "token").get(name="full")
    wish = LinkWish(lasting=timedelta(days=1), for_name="Bob of the warehouse")
    taken, back, still = (handover_links.make(principal=make.COMMAND, user=full, wish=wish) for _ in range(3))
    handover_links.take(principal=make.COMMAND, token=taken.token)
    handover_links.revoke(principal=make.COMMAND, user=full, link_id=back.link.pk)
    OPEN_LINK[:] = [still.token]


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
