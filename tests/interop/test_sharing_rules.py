"""What our rules refuse of imports that Go's library lets pass: what a real nats-server makes of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from identities.claims import import_cycles
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.local_subjects import local_concerns
from identities.claims.report import Report
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, Operator, User
from identities.services import accounts, changes, configs, creds
from tests import make, natsclient, natsserver

pytestmark = pytest.mark.django_db


def as_nsc_would(
    account: Account, *, imports: tuple[Import, ...] = (), exports: tuple[Export, ...] = ()
) -> None:
    """Sign imports and exports without asking our own rules."""

    def plan(row: Account) -> changes.Change:
        change = changes.plan(row, changes.edit_body(imports=imports, exports=exports), now=0)
        assert not change.report.of_go.blocking
        return replace(change, report=Report())

    accounts.rewrite(
        principal=make.COMMAND, account=account, plan=plan, version=account.version, done="Signed elsewhere"
    )
    account.refresh_from_db()


def creds_of(user: User, folder: Path) -> Path:
    path = folder / f"{user.public_key}.creds"
    path.write_text(creds.creds_file(principal=make.COMMAND, user=user).text)
    return path


def config(operator: Operator) -> str:
    wanted = ServerConfig(
        resolver=Resolver.MEMORY, operator_name="", operator_jwt="", system_account=operator.system_account
    )
    return configs.write(principal=make.COMMAND, operator=operator, wanted=wanted, preload_all=True).text


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Test")


@dataclass(frozen=True, kw_only=True)
class Between:
    """A server on which Orders exports a subject and Billing imports it; one user's creds of each."""

    url: str
    orders: Path
    billing: Path
    imports: tuple[Import, ...]

    def heard_by_billing(self, on: str, published: str) -> str | None:
        return natsclient.hears(self.url, self.billing, on, self.orders, published)

    def heard_by_orders(self, on: str, published: str) -> str | None:
        return natsclient.hears(self.url, self.orders, on, self.billing, published)


@pytest.fixture
def between(operator: Operator, nats: natsserver.Stable) -> Callable[..., Between]:
    """Makes that of a subject, its kind, and the local subjects under which it is imported ("": its own)."""

    def made(subject: str, kind: str, *local: str) -> Between:
        orders, billing = make.account(operator, "Orders"), make.account(operator, "Billing")
        users = make.user(orders), make.user(billing)
        one = Import(subject=subject, account=orders.public_key, type=kind)
        imports = tuple(replace(one, local_subject=each) for each in local)
        as_nsc_would(orders, exports=(Export(subject=subject, type=kind),))
        as_nsc_would(billing, imports=imports)
        server = nats.start(config(operator))
        there, here = (creds_of(user, nats.directory) for user in users)
        return Between(url=server.url, orders=there, billing=here, imports=imports)

    return made


@pytest.mark.parametrize(
    ("local", "heard"),
    [
        ("seen.$2.$1", "seen.new.eu"),
        ("seen.$1.$1", "seen.eu.eu"),
        ("seen.*.$1", "seen.eu.eu"),
        ("seen.$0.$1", "seen.orders.eu"),
    ],
)
def test_a_renaming_that_we_refuse_loses_a_word(
    between: Callable[..., Between], local: str, heard: str
) -> None:
    shared = between("orders.*.*", "stream", local)
    assert bool(list(local_concerns("", shared.imports[0]))) is (heard != "seen.new.eu")
    assert shared.heard_by_billing("seen.*.*", "orders.eu.new") == heard


def test_of_two_imports_of_one_stream_the_first_alone_brings_anything(
    between: Callable[..., Between],
) -> None:
    shared = between("orders.>", "stream", "one.>", "two.>")
    assert shared.heard_by_billing("one.>", "orders.new") == "one.new"
    assert shared.heard_by_billing("two.>", "orders.new") is None


def test_one_service_may_be_imported_under_two_names(between: Callable[..., Between]) -> None:
    shared = between("orders.>", "service", "one.>", "two.>")
    for name in ("one", "two"):
        assert shared.heard_by_orders("orders.>", f"{name}.new") == "orders.new"


@pytest.mark.parametrize(
    ("subject", "local", "refused"),
    [
        ("*.*.*.*.>", "", True),
        ("*.*.*.*.*", "", True),
        ("o.*.*.*.*.*", "$1.$2.$3.$4.$5", True),
        ("*.*.*.>", "", False),
        ("*.*.*.*.*.>", "", False),
        ("*.*.*.*.o", "", False),
        (">", "", False),
    ],
)
def test_a_service_import_that_the_server_takes_for_a_ring_leads_nowhere(
    between: Callable[..., Between], subject: str, local: str, refused: bool
) -> None:
    shared = between(subject, "service", local)
    assert import_cycles.taken_for_ring(shared.imports[0]) is refused
    sent = re.sub(r"\*|\$\d", "w", local or subject).replace(">", "x.y")
    assert shared.heard_by_orders(">", sent) == (None if refused else sent)


@pytest.mark.parametrize("kind", ["stream", "service"])
def test_of_a_ring_of_imports_the_server_leaves_one_out(
    operator: Operator, nats: natsserver.Stable, kind: str
) -> None:
    ring = [make.account(operator, name) for name in ("A", "B", "C")]
    for index, account in enumerate(ring):
        before = ring[index - 1].public_key
        as_nsc_would(
            account,
            exports=(Export(subject="help", type=kind),),
            imports=(Import(subject="help", account=before, type=kind),),
        )
    bodies = {account.public_key: changes.claims_of(account).nats for account in ring}
    assert all(import_cycles.cycle(key, body.imports[0], bodies) for key, body in bodies.items())
    server = nats.start(config(operator))
    system = creds_of(User.objects.get(account__public_key=operator.system_account), nats.directory)
    assert sorted(complete(server.url, system, list(bodies))) == [False, True, True]


def complete(url: str, system: Path, keys: list[str]) -> list[bool]:
    """Whether a server, made to load these accounts, could do all of their imports."""

    async def work() -> list[bool]:
        async with natsclient.connected(url, system) as held:
            for key in keys:
                ask = json.dumps({"acc": key, "subject": "x"}).encode()
                await held.client.publish("$SYS.REQ.ACCOUNT.NSUBS", ask, reply="nobody")
            await held.client.flush()
            await asyncio.sleep(0.1)
            replies = [
                await held.client.request(f"$SYS.REQ.ACCOUNT.{key}.INFO", b"", timeout=natsclient.PATIENCE)
                for key in keys
            ]
            return [bool(json.loads(reply.data)["data"]["complete"]) for reply in replies]

    return natsclient._apart(work())
