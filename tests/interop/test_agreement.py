"""The permission tester and a real nats-server are asked the same generated questions, and never disagree.

One server; each user has a connection of its own for as long as its questions take. Answers are told apart by PINGs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

import pytest

from identities.claims import codec, explain, explain_imports
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_types import Answer, Question, Situation, Verb, Verdict
from identities.claims.operator import OperatorBody
from identities.claims.subjects import has_wildcards, matches
from identities.claims.user import UserBody
from identities.formats import server_config
from identities.nkeys import KeyKind, KeyPair
from tests import natsserver
from tests.conftest import EXPLORES, FULL, SEED
from tests.interop import worlds
from tests.interop.wire import Refused, Wire

CASES = 5_000 if FULL else 300
USERS = 10
QUESTIONS = 3
OFTEN = 120
"""Tries where chance decides: a share of 20 in 100 is missed by all of them once in 10^11."""
KINDS = {
    "publish yes", "publish no", "publish sometimes", "publish yes by chance", "publish no by chance",
    "publish sometimes by chance", "subscribe yes", "subscribe no", "subscribe yes in a queue",
    "subscribe no in a queue", "request yes", "request no", "answers", "login refused", "withheld",
    "through a service import", "through a stream import",
}  # fmt: skip
"""What 5,000 users meet without fail."""


@dataclass(slots=True)
class Trial:
    """The server, the worlds in it, and what was found."""

    seed: int
    operator: KeyPair
    system: str
    worlds: list[worlds.World]
    server: natsserver.NatsServer
    chance: random.Random
    cases: int = 0
    asked: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def met(self, kind: str) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.asked += 1


@pytest.fixture
def trial(nats: natsserver.Stable) -> Trial:
    seed = random.SystemRandom().randrange(1, 2**32) if EXPLORES else int(SEED or 1)
    print(f"seed: {seed} (NSCWEB_TEST_SEED={seed} makes the same worlds again)")
    chance = random.Random(seed)
    operator = KeyPair.create(KeyKind.OPERATOR)
    maker = worlds.Maker(chance, operator)
    made = [maker.world(USERS) for _ in range(CASES // USERS)]
    system, system_jwt = _system_account(operator)
    body = OperatorBody(system_account=system)
    jwt = codec.encode(Claims(nats=body, name="O", sub=operator.public.text), operator, worlds.NOW).text
    preload = [("SYS", system, system_jwt)]
    for world in made:
        preload += [(world.account.name, world.account.sub, world.account_jwt)]
        preload += [(world.exporter.name, world.exporter.sub, world.exporter_jwt)]
    config = server_config.render(
        server_config.ServerConfig(
            resolver=server_config.Resolver.MEMORY,
            operator_name="O",
            operator_jwt=jwt,
            system_account=system,
            preload=preload,
        )
    )
    cluster = f"cluster {{ name: {worlds.CLUSTER}, listen: 127.0.0.1:{natsserver.free_port()} }}\n"
    return Trial(seed, operator, system, made, nats.start(config + cluster), chance)


def _system_account(operator: KeyPair) -> tuple[str, str]:
    key = KeyPair.create(KeyKind.ACCOUNT).public.text
    return key, codec.encode(Claims(nats=AccountBody(), name="SYS", sub=key), operator, worlds.NOW).text


def test_the_tester_says_what_nats_server_does(trial: Trial) -> None:
    for world in trial.worlds:
        with ExitStack() as stack:
            spies = Spies(trial, world, stack)
            for user in world.users:
                trial.cases += 1
                try_user(trial, world, user, spies)
    print(f"{trial.cases} users, {trial.asked} questions: {dict(sorted(trial.kinds.items()))}")
    assert trial.cases == CASES
    assert not FULL or set(trial.kinds) >= KINDS, KINDS - set(trial.kinds)


@dataclass(slots=True)
class Spies:
    """The open users of both accounts, who hear everything."""

    wires: dict[str, Wire]

    def __init__(self, trial: Trial, world: worlds.World, stack: ExitStack) -> None:
        self.wires = {}
        for claims, spy in zip((world.account, world.exporter), world.spies, strict=True):
            wire = stack.enter_context(Wire(trial.server.port, spy.jwt, spy.pair))
            wire.ask("SUB > 1")
            self.wires[claims.sub] = wire

    def heard(self, mark: str) -> set[tuple[str, str]]:
        """Account and subject of every message with this content."""
        found = set()
        for account, wire in self.wires.items():
            wire.sync()
            found |= {(account, one.subject) for one in wire.messages if one.data.decode() == mark}
        return found


def try_user(trial: Trial, world: worlds.World, user: worlds.Identity, spies: Spies) -> None:
    situation = world.situation(user, trial.system)
    refusal = explain.ask(situation, Question(verb=Verb.PUBLISH, subject="x"))
    lets_in = "can't log in" not in refusal.reason
    about = f"seed {trial.seed}, user {user.claims.sub}"
    try:
        with Wire(trial.server.port, user.jwt, user.pair) as wire:
            assert lets_in, f"{about}: the server let it in, the tester says: {refusal.reason}"
            asking = Asking(trial, world, situation, spies, wire, about)
            asking.everything()
    except Refused as refused:
        said = str(refused)
    else:
        return
    assert not lets_in, f"{about}: {said}, the tester lets it in"
    trial.met("login refused")


@dataclass(slots=True)
class Asking:
    """One user's questions."""

    trial: Trial
    world: worlds.World
    situation: Situation
    spies: Spies
    wire: Wire
    about: str
    maker: worlds.Maker = field(init=False)

    def __post_init__(self) -> None:
        self.maker = worlds.Maker(self.trial.chance, self.trial.operator)

    def everything(self) -> None:
        mapped = list(self.world.account.nats.mappings)
        for subjects in (self._subjects("pub"), self._subjects("pub"), mapped or self._subjects("pub")):
            self.publish(self.maker.near(subjects))
        for _ in range(QUESTIONS):
            self.subscribe(*self._subscription())
        self.request(self.maker.near(self._subjects("pub")))
        self.answer()

    def ask(self, **question: str) -> Answer:
        return explain.ask(self.situation, Question(**question))  # type: ignore[arg-type]

    def _subjects(self, side: str) -> list[str]:
        """What the user's rules, its account's mappings and imports speak of."""
        account: AccountBody = self.world.account.nats
        body: UserBody = self.situation.user.nats
        found = []
        for permissions in (
            body.limits, account.default_permissions, *(key.template for key in account.signing_keys)
        ):  # fmt: skip
            if permissions is not None:
                lists = getattr(permissions, side)
                found += [entry for entry in (*lists.allow, *lists.deny) if "{{" not in entry]
        found += list(account.mappings)
        found += [_local(one.local_subject or one.subject) for one in account.imports if one is not None]
        return found

    # --- publishing

    def publish(self, subject: str) -> None:
        answer = self.ask(verb=Verb.PUBLISH, subject=subject)
        mark = f"m{next(self.trial.numbers)}"
        chancy = len(answer.sent) > 1
        times = OFTEN if chancy else 1
        self.wire.publish(subject, mark, times=times)
        errors = self.wire.sync()
        heard = self.spies.heard(mark)
        refused = {one.subject for one in answer.sent if not one.decision.allowed}
        reached = self._reached(answer)
        told = self._told(answer, f"refused {sorted(set(errors))}, heard {sorted(heard)}")
        expected = {f'Permissions Violation for Publish to "{one}"' for one in refused}
        self.trial.met(f"publish {answer.verdict}{' by chance' if chancy else ''}")
        assert set(errors) <= expected, told
        assert heard <= reached, told
        if answer.verdict is Verdict.YES or all(not one.decision.allowed for one in answer.sent):
            assert len(errors) == (times if refused else 0), told
        self._named_in_errors({one.subject for one in answer.sent if not one.decision.allowed}, told)
        if self._is_certain(answer):
            assert (set(errors), heard) == (expected, reached), told

    def _named_in_errors(self, refused: set[str], told: str) -> None:
        """An error names the subject after mapping: asked about so, the tester refuses it too."""
        for subject in filter(None, refused):
            asked = explain.ask(self.situation, Question(verb=Verb.PUBLISH, subject=subject, mapped=True))
            assert asked.verdict is not Verdict.YES, told

    def _reached(self, answer: Answer) -> set[tuple[str, str]]:
        """Where the tester says that messages come out."""
        found = set()
        for one in answer.sent:
            if one.decision.allowed and one.subject:
                found.add((self.world.account.sub, one.subject))
                found |= {(each.account, each.subject) for each in one.landings if not each.problem}
        if any(each.landings for each in answer.sent):
            self.trial.met("through a service import")
        return found

    def _is_certain(self, answer: Answer) -> bool:
        """Whether everything that may happen surely has: no mapping wins by chance, no share is small."""
        shares = [(one.outcome.place.path, one.outcome.share) for one in answer.sent if one.outcome]
        asked, mappings = answer.question.subject, self.world.account.nats.mappings
        if len([source for source in mappings if matches(asked, source)]) > 1:
            return False
        if any(one.landings for one in answer.sent) and self.world.exporter.nats.mappings:
            return False
        return len(dict(shares)) == len(shares) and min((share for _, share in shares), default=100) >= 20

    # --- subscribing

    def _subscription(self) -> tuple[str, str]:
        chance = self.trial.chance
        subjects = self._subjects("sub")
        pattern = chance.choice(subjects).split(" ")[0] if subjects and chance.random() < 0.4 else ""
        if not pattern:
            pattern = self.maker.pattern() if chance.random() < 0.4 else self.maker.near(subjects)
        return pattern, chance.choice(("", "", *worlds.QUEUES))

    def subscribe(self, subject: str, queue: str) -> None:
        answer = self.ask(verb=Verb.SUBSCRIBE, subject=subject, queue=queue)
        errors = self.wire.ask(f"SUB {subject} {queue} 7" if queue else f"SUB {subject} 7")
        told = self._told(answer, f"{errors}")
        self.trial.met(f"subscribe {answer.verdict}{' in a queue' if queue else ''}")
        assert bool(errors) is (answer.verdict is Verdict.NO), told
        if errors:
            group = f' using queue "{queue}"' if queue else ""
            assert errors == [f'Permissions Violation for Subscription to "{subject}"{group}'], told
            return
        for account in (self.world.account, self.world.exporter):
            for literal in [self.maker.near([subject]), *self._withheld(answer), *self._listened(answer)]:
                self._deliver(answer, account, literal)
        self.wire.ask("UNSUB 7")

    def _withheld(self, answer: Answer) -> list[str]:
        return [self.maker.near([entry.subject]) for entry in answer.withheld[:2]]

    def _listened(self, answer: Answer) -> list[str]:
        return [self.maker.near([each.subject]) for each in answer.arrivals[:2]]

    def _deliver(self, answer: Answer, account: Claims[AccountBody], literal: str) -> None:
        if any(matches(literal, source) for source in account.nats.mappings) or has_wildcards(literal):
            return
        subject, queue = answer.question.subject, answer.question.queue
        mark = f"m{next(self.trial.numbers)}"
        spy = self.spies.wires[account.sub]
        spy.publish(literal, mark)
        spy.sync()
        self.wire.sync()
        got = sorted(one.subject for one in self.wire.messages if one.data.decode() == mark)
        expected = []
        if account.sub == self.world.account.sub:
            expected = [literal] if matches(literal, subject) else []
        else:
            for each in answer.arrivals:
                if not each.problem and matches(literal, each.subject):
                    index = int(each.place.path.partition("[")[2].rstrip("]"))
                    one = self.world.account.nats.imports[index]
                    assert one is not None
                    expected.append(explain_imports.arrives_as(one, literal))
                    self.trial.met("through a stream import")
        kept = [one for one in expected if not any(matches(one, entry.subject) for entry in answer.withheld)]
        if len(kept) < len(expected):
            self.trial.met("withheld")
        told = self._told(answer, f"{literal} of {account.name} arrived as {got}, expected {sorted(kept)}")
        if queue and len(kept) > 1:  # one queue group gets each message once
            assert got and set(got) <= set(kept), told
        else:
            assert got == sorted(kept), told

    # --- requests and answers

    def request(self, subject: str) -> None:
        answer = self.ask(verb=Verb.REQUEST, subject=subject)
        if answer.verdict is Verdict.SOMETIMES or len(answer.sent) > 1:
            return
        errors = self.wire.ask(
            "SUB _INBOX.ABCDEFGHIJKLMNOPQRSTUV.* 8", f"PUB {subject} _INBOX.ABCDEFGHIJKLMNOPQRSTUV.1 0", ""
        )
        self.trial.met(f"request {answer.verdict}")
        assert bool(errors) is (answer.verdict is Verdict.NO), self._told(answer, f"{errors}")

    def answer(self) -> None:
        """A request that the user receives opens its reply address, as often as the response permission says."""
        for subject in dict.fromkeys(self.maker.near(self._subjects("sub")) for _ in range(4)):
            mapped = any(matches(subject, source) for source in self.world.account.nats.mappings)
            listening = self.ask(verb=Verb.SUBSCRIBE, subject=subject)
            if listening.verdict is Verdict.YES and not mapped and not listening.withheld:
                break
        else:
            return
        reply = f"r.{next(self.trial.numbers)}"
        if any(matches(reply, source) for source in self.world.account.nats.mappings):
            return
        answer = self.ask(verb=Verb.PUBLISH, subject=reply)
        resp = answer.sent[0].decision.answers
        self.wire.ask(f"SUB {subject} 9")
        spy = self.spies.wires[self.world.account.sub]
        spy.publish(subject, "?", reply=reply)
        spy.sync()
        most = 5
        self.wire.publish(reply, "!", times=most)
        errors = len(self.wire.sync())
        self.wire.ask("UNSUB 9")
        allowed = most if answer.verdict is Verdict.YES else 0
        if resp is not None:
            self.trial.met("answers")
            allowed = most if resp.max < 0 else min(resp.max, most)
        told = self._told(answer, f"{most - errors} of {most} answers went out, expected {allowed}")
        assert most - errors == allowed, told

    def _told(self, answer: Answer, happened: str) -> str:
        question = answer.question
        user = codec.payload_text(self.situation.user)
        account = codec.payload_text(self.world.account)
        exporter = codec.payload_text(self.world.exporter)
        return (
            f"{self.about}\n{question}\nserver: {happened}\ntester: {answer}\nuser {user}\naccount {account}\n"
            f"exporter {exporter}"
        )


def _local(subject: str) -> str:
    return ".".join(
        "*" if word.startswith("$") and word[1:].isdigit() else word for word in subject.split(".")
    )
