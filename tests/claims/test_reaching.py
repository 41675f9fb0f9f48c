"""From where messages reach a subject, and where they go: across accounts, by patterns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.mappings import WeightedMapping
from identities.claims.reaching import Net, after, before
from identities.nkeys import KeyKind, KeyPair

HERE, THERE, FAR = (KeyPair.create(KeyKind.ACCOUNT).public.text for _ in range(3))


def account(key: str, name: str, **body: object) -> Claims[AccountBody]:
    return Claims(nats=AccountBody(**body), name=name, sub=key)  # type: ignore[arg-type]  # fields by name


def mapping(**targets: str) -> Claims[AccountBody]:
    """`source` with `_` for dots and `S` for stars, to a target."""
    mappings = {
        source.replace("_", ".").replace("S", "*"): (WeightedMapping(subject=target),)
        for source, target in targets.items()
    }
    return account(HERE, "Here", mappings=mappings)


@pytest.mark.parametrize(
    ("target", "wanted", "source"),
    [
        ("new.$2.$1", "new.b.a", "old.a.b"),
        ("new.$2.$1", "new.*.a", "old.a.*"),
        ("new.$2.$1", "new.>", "old.*.*"),
        ("new.{{partition(3,1)}}.$1", "new.2.a", "old.a.*"),
        ("new.{{split(1,-)}}", "new.a.b.c", "old.*.*"),
    ],
)
def test_the_source_of_a_mapping_is_found_for_what_it_makes(target: str, wanted: str, source: str) -> None:
    here = mapping(old_S_S=target)
    assert [text for text, hop in before(here, wanted) if hop is not None] == [source]
    assert before(here, "else") == (("else", None),)


def test_what_is_mapped_away_comes_from_nowhere() -> None:
    here = mapping(a_S="b.$1")
    assert before(here, "a.x") == ()
    assert [text for text, _ in before(here, "a.>")] == ["a.>"]  # a.x.y is not mapped
    assert [text for text, _ in after(here, "a.*")] == ["b.*"]
    assert [text for text, _ in after(here, ">")] == [">", "b.*"]


def test_a_mapping_of_a_part_leaves_the_rest() -> None:
    here = account(HERE, "Here", mappings={"a": (WeightedMapping(subject="b", weight=30),)})
    assert {text for text, _ in after(here, "a")} == {"a", "b"}
    assert {text for text, _ in before(here, "b")} == {"a", "b"}
    assert before(here, "a") == (("a", None),)


def ways(found: tuple[object, ...]) -> list[tuple[str, str]]:
    return [(way.name, way.subject) for way in found]  # type: ignore[attr-defined]  # ways


def test_service_imports_lead_on_from_account_to_account_and_streams_one_step() -> None:
    there = account(
        THERE,
        "There",
        exports=(Export(subject="ask.>", type="service"), Export(subject="news.>", type="stream")),
    )
    here = account(
        HERE,
        "Here",
        imports=(
            Import(account=THERE, subject="ask.*.*", type="service", local_subject="help.$2.$1"),
            Import(account=THERE, subject="news.>", type="stream", local_subject="their.>"),
        ),
        exports=(Export(subject="help.>", type="service"), Export(subject="their.>", type="stream")),
    )
    far = account(
        FAR,
        "Far",
        imports=(
            Import(account=HERE, subject="help.*.a", type="service", local_subject="far.$1"),
            Import(account=HERE, subject="their.*", type="stream", local_subject="ours.$1"),
        ),
    )
    net = Net(accounts={each.sub: each for each in (here, there, far)})
    assert ways(net.publishers(there, "ask.a.*")) == [
        ("There", "ask.a.*"), ("Here", "help.*.a"), ("Far", "far.*"),
    ]  # fmt: skip
    assert ways(net.hearers(far, "far.b")) == [("Far", "far.b"), ("Here", "help.b.a"), ("There", "ask.a.b")]
    assert ways(net.hearers(there, "news.x")) == [("There", "news.x"), ("Here", "their.x")]
    assert ways(net.publishers(far, "ours.x")) == [("Far", "ours.x"), ("Here", "their.x")]
    assert all(way.crosses for way in net.hearers(far, "far.b")[1:])
    assert not net.hearers(there, "news.x")[1].crosses


def test_of_two_imports_of_one_stream_the_first_leads_on_and_of_one_service_both_do() -> None:
    there = account(
        THERE, "There", exports=(Export(subject="s.>", type="stream"), Export(subject="q.>", type="service"))
    )
    here = account(
        HERE,
        "Here",
        imports=tuple(
            Import(account=THERE, subject=subject, type=kind, local_subject=local)
            for subject, kind, local in (
                ("s.>", "stream", "one.>"), ("s.>", "stream", "two.>"),
                ("q.>", "service", "ask.>"), ("q.>", "service", "beg.>"),
            )
        ),
    )  # fmt: skip
    net = Net(accounts={HERE: here, THERE: there})
    assert ways(net.hearers(there, "s.x")) == [("There", "s.x"), ("Here", "one.x")]
    assert ways(net.publishers(here, "two.x")) == [("Here", "two.x")]
    assert ways(net.publishers(there, "q.x")) == [("There", "q.x"), ("Here", "ask.x"), ("Here", "beg.x")]


def test_what_is_not_exported_or_lacks_its_activation_lets_nobody_through() -> None:
    wanted = Import(account=THERE, subject="news.x", type="stream")
    here = account(HERE, "Here", imports=(wanted,))
    closed = account(THERE, "There", exports=(Export(subject="news.>", type="stream", token_req=True),))
    opened = replace(closed, nats=AccountBody(exports=(Export(subject="news.>", type="stream"),)))
    for there, expected in ((closed, 1), (account(THERE, "There"), 1), (opened, 2)):
        net = Net(accounts={HERE: here, THERE: there})
        assert len(net.publishers(here, "news.x")) == expected


def test_accounts_that_import_from_each_other_come_to_an_end() -> None:
    body = {"exports": (Export(subject=">", type="service"),)}
    here = account(HERE, "Here", imports=(Import(account=THERE, subject="a.>", type="service"),), **body)
    there = account(THERE, "There", imports=(Import(account=HERE, subject="a.>", type="service"),), **body)
    net = Net(accounts={HERE: here, THERE: there})
    assert ways(net.publishers(here, "a.b")) == [("Here", "a.b"), ("There", "a.b")]
    assert ways(net.hearers(here, "a.b")) == [("Here", "a.b"), ("There", "a.b")]
