"""A system connection to real nats-servers: who answers what, and what happens when one refuses or goes."""

from __future__ import annotations

from typing import Any

import pytest

from identities.formats.server_config import Resolver
from identities.resolver import messages
from identities.resolver.addresses import AddressRefused
from identities.resolver.connection import Refused
from identities.resolver.messages import Question, Verdict
from identities.resolver.system import SystemLink, Target
from identities.services import links
from tests import make, natsserver, nodes

pytestmark = pytest.mark.django_db


def test_every_server_of_a_cluster_answers_with_its_name(nats: natsserver.Stable) -> None:
    three = nodes.start(nats, make.operator(), 3)
    with nodes.linked(three, at=1) as link:
        assert link.server.startswith("n2 2.")
        reply = link.ask(messages.of_every_server("IDZ"), expect=3)
        assert reply.complete
        assert {answer.server.name for answer in reply.answers if answer.server} == {"n1", "n2", "n3"}
        varz = link.ask(messages.of_every_server("VARZ"), expect=3).answers
        assert {answer.server.key for answer in varz if answer.server} == {
            ("n1", "test"), ("n2", "test"), ("n3", "test"),
        }  # fmt: skip
        assert all(answer.data["system_account"] == three.operator.system_account for answer in varz)


def test_a_pushed_account_is_stored_by_all_and_can_be_listed_looked_up_and_packed(
    nats: natsserver.Stable,
) -> None:
    operator = make.operator()
    rows = [make.account(operator) for _ in range(5)]
    three = nodes.start(nats, operator, 3)
    with nodes.linked(three) as link:
        texts = [row.token.text.encode() for row in rows if row.token]
        replies = link.ask_all([Question(messages.CLAIMS_UPDATE, text, 3) for text in texts])
        told = [messages.verdict(answer) for reply in replies for answer in reply.answers]
        assert told == [(Verdict.STORED, "jwt updated")] * 15
        lists = link.ask(messages.CLAIMS_LIST, expect=3).answers
        assert all({row.public_key for row in rows} < set(answer.data) for answer in lists)
        held = link.ask(messages.of_account(rows[0].public_key, "CLAIMS.LOOKUP"), expect=3)
        assert held.payloads == [texts[0]] * 3
        pack = link.take(messages.CLAIMS_PACK, until=lambda payload: not payload)
        assert pack.complete
        assert {line.partition(b"|")[2] for line in pack.payloads} > set(texts)


def test_a_server_without_a_store_says_that_nobody_listens(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator(), resolver=Resolver.MEMORY)
    with nodes.linked(one) as link:
        reply = link.ask(messages.CLAIMS_LIST)
        assert reply.nobody
        assert not reply.payloads


def test_what_a_server_refuses_comes_with_its_words(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    with nodes.linked(one) as link:
        (answer,) = link.ask(messages.CLAIMS_UPDATE, b"no jwt").answers
        said = "jwt update resulted in error - expected 3 chunks"
        assert messages.verdict(answer) == (Verdict.REFUSED, said)
        unknown = make.account().public_key
        (answer,) = link.ask(messages.of_account(unknown, "INFO")).answers
        assert (answer.code, answer.ok) == (500, False)


def test_silence_is_an_incomplete_reply_and_the_next_question_is_answered(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    with nodes.linked(one) as link:
        reply = link.ask(messages.of_every_server("IDZ"), expect=2, seconds=0.2)
        assert (len(reply.payloads), reply.complete) == (1, False)
        assert link.ask(messages.of_every_server("IDZ")).complete


def test_events_are_heard(nats: natsserver.Stable) -> None:
    operator = make.operator()
    one = nodes.start(nats, operator)
    heard: list[str] = []
    with nodes.linked(one) as link:
        link.listen(["$SYS.ACCOUNT.>"], lambda subject, payload: heard.append(subject))
        with nodes.linked(one):
            natsserver.eventually(
                lambda: f"$SYS.ACCOUNT.{operator.system_account}.CONNECT" in heard, "the event"
            )


def test_a_server_that_goes_ends_the_question_at_once(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    with nodes.linked(one) as link:
        one[0].stop()
        natsserver.eventually(lambda: not link.is_up, "noticing it")
        with pytest.raises(Refused):
            link.ask(messages.of_every_server("IDZ"), seconds=5)


def test_the_first_address_that_answers_is_taken(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    dead = f"nats://127.0.0.1:{natsserver.free_port()}"
    target = Target(urls=(dead, one[0].url), allow_loopback=True)
    with SystemLink(target, nodes.system_user(one.operator)) as link:
        assert link.is_up
    assert not link.is_up
    with pytest.raises(Refused, match="Nothing listens"):
        SystemLink(Target(urls=(dead,), allow_loopback=True), nodes.system_user(one.operator))


def test_loopback_is_refused_unless_it_is_allowed(nats: natsserver.Stable) -> None:
    one = nodes.start(nats, make.operator())
    with pytest.raises(AddressRefused, match="loopback"):
        SystemLink(Target(urls=one.urls), nodes.system_user(one.operator))


def test_a_cluster_is_logged_in_to_as_its_system_user(nats: natsserver.Stable, settings: Any) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = True
    one = nodes.start(nats, make.operator())
    cluster = nodes.cluster(one)
    with links.linked(cluster) as link:
        (answer,) = link.ask("$SYS.REQ.USER.INFO").answers
        assert answer.data["user"] == cluster.user.public_key
    cluster.user = None
    with pytest.raises(links.NoSystemUser, match="has no system user"):
        links.open_link(cluster)
