"""Where a mapped message goes. That a real nats-server agrees is shown in tests/interop/test_account_mappings.py."""

from __future__ import annotations

import pytest

from identities.claims import mapping_routes
from identities.claims.mapping_functions import NoFunction
from identities.claims.mapping_routes import Group, Share
from identities.claims.mappings import WeightedMapping


def to(subject: str, weight: int = 0, cluster: str = "") -> WeightedMapping:
    return WeightedMapping(subject=subject, weight=weight, cluster=cluster)


@pytest.mark.parametrize(
    ("source", "target", "subject", "becomes"),
    [
        ("a", "b", "a", "b"),
        ("a.*", "b", "a.x", "b"),
        ("a.*.*", "b.$2.$1", "a.x.y", "b.y.x"),
        ("a.*.*", "b.{{wildcard(2)}}.{{Wildcard(1)}}", "a.x.y", "b.y.x"),
        ("a.>", "b.>", "a.x.y", "b.x.y"),
        ("a.*.>", "b.$1.c.>", "a.x.y.z", "b.x.c.y.z"),
        ("a.*", "b.{{partition(3,1)}}", "a.x", "b.0"),
        ("a.*.*", "b.{{partition(5,1,2)}}", "a.x.y", "b.2"),
        ("a.*", "b.{{partition(4)}}", "a.x", "b.2"),
        ("a", "b.{{partition(10)}}", "a", "b.<0|1>"),
        ("a.>", "b.{{partition(4)}}.>", "a.x", "b.2.x"),
        ("a", "b.{{partition(1)}}", "a", "b.0"),
        ("a", "b.{{partition(0)}}", "a", "b.0"),
        ("a.*", "b.{{split(1,-)}}", "a.one-two--three", "b.one.two.three"),
        ("a.*", "b.{{splitFromLeft(1,3)}}", "a.abcdef", "b.abc.def"),
        ("a.*", "b.{{SplitFromRight(1,2)}}", "a.abcdef", "b.abcd.ef"),
        ("a.*", "b.{{sliceFromLeft(1,3)}}", "a.abcdefgh", "b.abc.def.gh"),
        ("a.*", "b.{{sliceFromRight(1,3)}}", "a.abcdefgh", "b.ab.cde.fgh"),
        ("a.*", "b.{{sliceFromRight(1,3)}}", "a.abcdef", "b.abc.def"),
        ("a.*", "b.{{left(1,3)}}.{{right(1,2)}}", "a.abcdef", "b.abc.ef"),
        ("a.*", "b.{{left(1,9)}}", "a.abc", "b.abc"),
        ("a", "b.{{random(5)}}", "a", "b.<0-4>"),
        ("a", "b.{{random(1)}}", "a", "b.0"),
        ("a.*", "b.$x", "a.y", "b.$x"),
    ],
)
def test_a_subject_becomes_what_its_destination_says(
    source: str, target: str, subject: str, becomes: str
) -> None:
    assert mapping_routes.mapped(source, target, subject) == becomes


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("b.$2", "stands for no `*`"),
        ("b.{{WILDCARD(1)}}", "is no function"),
        ("b.{{splitfromLEFT(1,2)}}", "is no function"),
        ("b.{{wildcard(1,2)}}", "wrong arguments"),
        ("b.{{left(1)}}", "wrong arguments"),
        ("b.{{left(2,1)}}", "does not have"),
        ("b.{{wildcard(0)}}", "does not have"),
    ],
)
def test_what_the_server_can_not_compute_is_said(target: str, said: str) -> None:
    with pytest.raises(NoFunction, match=said):
        mapping_routes.mapped("a.*", target, "a.x")
    assert said in mapping_routes.problem("a.*", target)


def test_the_rest_of_the_weights_stays_on_the_source() -> None:
    shares = (Share(target="b", weight=60), Share(target="c", weight=30), Share(target="", weight=10))
    found = mapping_routes.groups("a", [to("b", 60), to("c", 30)])
    assert found == (Group(cluster="", total=90, lost=0, shares=shares),)


def test_the_rest_is_lost_where_the_source_is_listed_itself() -> None:
    (group,) = mapping_routes.groups("a", [to("a", 50), to("b", 20)])
    assert (group.total, group.lost) == (70, 30)
    assert not any(share.stays for share in group.shares)


def test_each_cluster_has_ways_of_its_own_and_others_fall_back() -> None:
    elsewhere, east = mapping_routes.groups("a", [to("b", cluster="east")])
    assert (elsewhere.cluster, elsewhere.total, elsewhere.shares) == ("", 0, (Share(target="", weight=100),))
    assert (east.cluster, east.total, east.shares) == ("east", 100, (Share(target="b", weight=100),))


def test_more_than_all_is_told_as_it_is() -> None:
    (group,) = mapping_routes.groups("a", [to("b", 80), to("c", 70)])
    assert (group.total, group.lost) == (150, 0)


@pytest.mark.parametrize(
    ("subject", "is_one"),
    [("a.b", True), ("a.*", False), ("a.>", False), ("", False), ("a..b", False), ("a*", True)],
)
def test_a_sample_is_a_subject_that_one_can_publish_on(subject: str, is_one: bool) -> None:
    assert mapping_routes.is_sample(subject) == is_one


def test_sources_that_match_the_same_subjects_are_found() -> None:
    sources = ["a.*", "a.b", "a.>", "b.c", "*.c", "x"]
    assert sorted(mapping_routes.overlapping(sources)) == [
        ("*.c", "a.*"),
        ("*.c", "a.>"),
        ("*.c", "b.c"),
        ("a.*", "a.>"),
        ("a.*", "a.b"),
        ("a.>", "a.b"),
    ]
    assert mapping_routes.sources_of("a.b", dict.fromkeys(sources)) == ("a.*", "a.b", "a.>")
