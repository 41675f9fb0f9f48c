"""Who can: whoever it names is let through by a real nats-server, across accounts, and nobody else is.

The server is asked without any reasoning: every user of every account tries every subject there is.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.formats.creds import parse_creds
from identities.formats.server_config import Resolver, ServerConfig
from identities.models import Account, User
from identities.nkeys import KeyPair
from identities.queries import who_can
from identities.queries.who_can import Deed
from identities.services import configs, creds, mappings, signing_keys
from tests import make, natsserver
from tests.interop.wire import Wire

pytestmark = pytest.mark.django_db
OPEN = UserPermissionLimits.unlimited()
NOWHERE = Permission(allow=("nowhere",))
SUBJECTS = (
    "orders.new", "orders.old", "old.new", "copy.orders.new", "taken.new", "vip.new", "club.new", "ask.a.b", "ask.b.a",
    "help.b.a", "help.a.b", "front.b", "front.a", "milk.cow", "farm.milk.cow", "ask.moved", "ask.x.y", "help.y.x",
)  # fmt: skip


def only(side: str, *allow: str, deny: tuple[str, ...] = ()) -> UserPermissionLimits:
    """May use these subjects on one side, and nothing on the other."""
    rules = Permission(allow=allow, deny=deny)
    return replace(OPEN, pub=rules, sub=NOWHERE) if side == "pub" else replace(OPEN, pub=NOWHERE, sub=rules)


class Market:
    """Accounts that share with each other, their users, and a server that knows them all."""

    def __init__(self, nats: natsserver.Stable) -> None:
        self.operator = make.operator("Op")
        names = ("Shop", "Desk", "Front", "Audit", "Club", "Farm", "Alone")
        self.accounts = {name: make.account(self.operator, name) for name in names}
        self.share()
        self.wires: dict[str, tuple[str, KeyPair]] = {}
        for account in self.accounts.values():
            self.people(account)
        self.operator.refresh_from_db()
        system = self.operator.system_account
        wanted = ServerConfig(
            resolver=Resolver.MEMORY, operator_name="", operator_jwt="", system_account=system
        )
        written = configs.write(
            principal=make.COMMAND, operator=self.operator, wanted=wanted, preload_all=True
        )
        self.server = nats.start(written.text)

    def share(self) -> None:
        shop, desk, front, audit, club, farm, _ = self.accounts.values()
        self.map(shop, "old.*", "orders.$1")
        self.map(shop, "ask.x.y", "ask.moved")
        for subject in ("orders.>", "vip.>"):
            make.export(shop, subject, token_req=subject == "vip.>")
        make.export(shop, "ask.>", type="service")
        make.export(desk, "help.*.a", type="service")
        make.export(farm, "milk.>")
        make.imported(shop, "milk.>", of=farm, local_subject="farm.milk.>")
        make.imported(desk, "ask.*.*", of=shop, type="service", local_subject="help.$2.$1")
        make.imported(front, "help.*.a", of=desk, type="service", local_subject="front.$1")
        make.imported(audit, "orders.*", of=shop, local_subject="copy.orders.$1")
        make.imported(club, "vip.>", of=shop, local_subject="club.>")
        make.imported(club, "orders.new", of=shop, local_subject="taken.new")

    def map(self, account: Account, source: str, target: str) -> None:
        targets = (WeightedMapping(subject=target),)
        mappings.put(
            principal=make.COMMAND, account=account, source=source, targets=targets, version=account.version
        )
        account.refresh_from_db()

    def people(self, account: Account) -> None:
        replies = replace(OPEN, sub=Permission(allow=(">",)), pub=NOWHERE, resp=ResponsePermission(max=1))
        for name, limits in {
            "open": OPEN,
            "writer": only("pub", "orders.>", "help.b.*", "front.*", "milk.cow", "ask.moved"),
            "literal": only("pub", "orders.new", "help.a.b", "ask.a.b", "vip.*"),
            "denied": only("pub", ">", deny=("orders.*", "help.b.a", "front.b", "milk.>")),
            "reader": only("sub", "orders.>", "copy.>", "ask.a.*", "farm.>", "club.>"),
            "deaf": only("sub", ">", deny=("orders.new", "copy.orders.*", "ask.>", "taken.new")),
            "worker": replies,
        }.items():
            self.take(make.user(account, name, limits=limits))
        template = replace(
            OPEN,
            pub=Permission(allow=("orders.{{name()}}", "front.{{name()}}")),
            sub=Permission(allow=("ask.{{name()}}.*", "copy.orders.{{name()}}")),
        )
        draft = SigningKeyDraft(role=RoleDraft(role="named", template=template))
        role = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
        account.refresh_from_db()
        for name in ("new", "a", "b"):
            self.take(make.user(account, name, signer=role.public_key))

    def take(self, user: User) -> None:
        user.refresh_from_db()
        held = parse_creds(creds.creds_file(principal=make.COMMAND, user=user).text)
        self.wires[f"{user.account.name}/{user.name}"] = held.jwt, KeyPair.from_seed(held.seed)

    def wire(self, who: str) -> Wire:
        return Wire(self.server.port, *self.wires[who])

    def named(self, account: str, deed: Deed, subject: str) -> set[str]:
        """Whom nscweb names."""
        row = Account.objects.select_related("operator").get(name=account)
        found = who_can.reached(make.COMMAND, row, deed, subject, now=1)
        return {
            f"{row.user.account}/{row.user.name}"
            for way in found.ways
            for row in who_can.holders(make.COMMAND, found, way).rows
        }

    def publishing(self, account: str, subject: str) -> set[str]:
        """Whose messages really arrive on the subject."""
        found = set()
        with self.wire(f"{account}/open") as spy:
            assert not spy.ask(f"SUB {subject} 1")
            for who in self.wires:
                with self.wire(who) as wire:
                    for each in SUBJECTS:
                        wire.publish(each, who)
                    wire.sync()
            spy.sync()
            found |= {one.data.decode() for one in spy.messages}
        return found

    def hearing(self, account: str, subject: str, *, answering: bool = False) -> set[str]:
        """Who really hears what is published there, or whose answer really arrives."""
        found = set()
        with self.wire(f"{account}/open") as asker:
            assert not asker.ask("SUB _INBOX.x.y 1")
            for who in self.wires:
                with self.wire(who) as wire:
                    for number, each in enumerate(SUBJECTS):
                        wire.ask(f"SUB {each} {number + 1}")
                    wire.messages.clear()
                    asker.publish(subject, "?", "_INBOX.x.y")
                    asker.sync()
                    wire.sync()
                    heard = list(wire.messages)
                    if heard and not answering:
                        found.add(who)
                    for one in heard:
                        wire.publish(one.reply, who)
                    wire.sync()
                    asker.sync()
                    if answering and any(one.data.decode() == who for one in asker.messages):
                        found.add(who)
        return found


def test_a_real_server_lets_through_whoever_is_named_and_nobody_else(nats: natsserver.Stable) -> None:
    market = Market(nats)
    for account, subject in (
        ("Shop", "orders.new"), ("Shop", "ask.a.b"), ("Shop", "farm.milk.cow"), ("Shop", "vip.new"),
        ("Club", "taken.new"), ("Audit", "copy.orders.new"), ("Desk", "help.b.a"), ("Shop", "ask.moved"),
        ("Shop", "old.new"),
    ):  # fmt: skip
        expected = market.publishing(account, subject)
        assert market.named(account, Deed.PUBLISH, subject) == expected, (account, subject)
    for account, subject in (
        ("Shop", "orders.new"), ("Shop", "old.new"), ("Front", "front.b"), ("Desk", "help.b.a"), ("Farm", "milk.cow"),
        ("Shop", "vip.new"), ("Desk", "help.y.x"), ("Alone", "orders.new"),
    ):  # fmt: skip
        expected = market.hearing(account, subject)
        assert market.named(account, Deed.SUBSCRIBE, subject) == expected, (account, subject)
    for account, subject in (("Front", "front.b"), ("Desk", "help.b.a"), ("Shop", "ask.a.b")):
        expected = market.hearing(account, subject, answering=True)
        assert expected
        assert market.named(account, Deed.ANSWER, subject) == expected, (account, subject)
