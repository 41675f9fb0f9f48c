from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims import explain_rules
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.comparing import MOST_RULES, Comparison, Party, Relation, compare, lost
from identities.claims.effective import Effective, effective_permissions
from identities.claims.explain_lists import may_publish, may_subscribe
from identities.claims.explain_types import Rules, Situation
from identities.claims.permissions import (
    Permission,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair

UNLIMITED = UserPermissionLimits.unlimited()


def party(name: str, **limits: object) -> Party:
    given = replace(UNLIMITED, **limits)  # type: ignore[arg-type]
    return Party(name=name, effective=effective_permissions(given), limits=given)


def pub(first: Permission, second: Permission) -> Comparison:
    return compare(party("A", pub=first), party("B", pub=second))


def allow(*subjects: str, deny: tuple[str, ...] = ()) -> Permission:
    return Permission(allow=subjects, deny=deny)


@pytest.mark.parametrize(
    ("first", "second", "relation", "said"),
    [
        (allow("a.>"), allow("a.*", "a.*.>"), Relation.SAME, []),
        (allow("a.>"), allow("a.*"), Relation.MORE, ["A may publish to `a.>`, B only to `a.*`."]),
        (allow("a.b"), allow("a.*"), Relation.LESS, ["B may publish to `a.*`, A only to `a.b`."]),
        (allow("a"), allow("b"), Relation.APART, [
            "A may publish to `a`, B may not.", "B may publish to `b`, A may not."]),
        (allow("a.*"), allow("*.b"), Relation.EACH, [
            "A may publish to `a.*`, B only to `*.b`.", "B may publish to `*.b`, A only to `a.*`."]),
        (allow("a.>", deny=("a.x",)), allow("a.>"), Relation.LESS, [
            "B may publish to `a.>`, A not to `a.x`."]),
        (allow(deny=(">",)), allow("b", deny=("b",)), Relation.NOTHING, []),
        (Permission(), allow("a"), Relation.MORE, ["A may publish to `>`, B only to `a`."]),
        (allow("a.>", "a.b"), allow("c"), Relation.APART, [
            "A may publish to `a.>`, B may not.", "B may publish to `c`, A may not."]),
    ],
)  # fmt: skip
def test_subjects_are_compared_as_sets(
    first: Permission, second: Permission, relation: Relation, said: list[str]
) -> None:
    found = pub(first, second).publish
    assert found.relation is relation
    assert [one.text for one in found.differences] == said


def test_a_denial_that_takes_nothing_away_is_no_difference() -> None:
    assert pub(allow("a.>", deny=("b",)), allow("a.>")).publish.relation is Relation.SAME


def test_queue_groups_are_told_apart() -> None:
    first = party("A", sub=Permission(allow=("work workers",)))
    second = party("B", sub=Permission(allow=("work",)))
    found = compare(first, second).subscribe
    assert found.relation is Relation.LESS  # a plain entry takes any queue group in
    assert [one.text for one in found.differences] == ["B may subscribe to `work`, A may not."]
    third = party("C", sub=Permission(allow=("work others",)))
    told = {one.text for one in compare(first, third).subscribe.differences}
    assert told == {
        "A may subscribe to `work` in the queue group `workers`, C may not.",
        "C may subscribe to `work` in the queue group `others`, A may not.",
    }


def test_a_star_at_the_end_of_a_subscription_reaches_further_as_on_the_server() -> None:
    first, second = party("A", sub=allow("a.*")), party("B", sub=allow("a.>"))
    assert compare(first, second).subscribe.relation is Relation.SAME


def test_limits_hours_and_connection_types_stand_beside_each_other() -> None:
    hours = (TimeRange(start="08:00:00", end="18:00:00"),)
    first = party("A", subs=10, times=hours, allowed_connection_types=("MQTT", "STANDARD"))
    second = party(
        "B", payload=1024, allowed_connection_types=("STANDARD", "MQTT"), resp=ResponsePermission(max=2)
    )
    settings = {one.label: (one.first, one.second, one.same) for one in compare(first, second).settings}
    assert settings["Subscriptions"] == ("at most 10", "no limit", False)
    assert settings["Size of a message"] == ("no limit", "at most 1 KiB", False)
    assert settings["Hours"] == ("08:00:00–18:00:00", "any", False)
    assert settings["Connection types"][2]
    assert settings["Answers to requests"][:2] == (
        "only where it may publish",
        "2 to each request, within 2m0s",
    )
    assert settings["Rules come from"][:2] == ("nowhere: everything is open", "its own JWT")


def test_what_somebody_loses_is_said() -> None:
    before = party("ann", resp=ResponsePermission(max=1), pub=allow("a"))
    after = Party(name="ann", effective=Effective(pub_allow=("a",), sub_allow=("x",)), limits=UNLIMITED)
    assert lost(before, after) == (
        "“ann” may no longer subscribe to all of `>`.",
        "“ann” may no longer answer whoever asks.",
    )
    assert lost(after, after) == ()


def test_lists_too_long_to_compare_say_so() -> None:
    many = tuple(f"orders.a{number}" for number in range(MOST_RULES))
    found = pub(allow(*many), allow(*many[1:])).publish
    assert found.relation is Relation.UNKNOWN
    assert [one.text for one in found.differences] == ["`orders.a0` is in the list of A alone."]


LITERALS = [".".join(parts) for length in (1, 2, 3, 4) for parts in itertools.product("abc", repeat=length)]
subject = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(st.sampled_from(("a", "b", "*")), max_size=2),
    st.sampled_from([("a",), ("b",), (">",)]),  # a * at the end reaches further: see above
)
queued = st.builds(lambda one, queue: f"{one}{queue}", subject, st.sampled_from(("", "", " q", " r")))
limits = st.builds(
    lambda pub, pub_deny, sub, sub_deny: replace(
        UNLIMITED,
        pub=Permission(allow=tuple(pub), deny=tuple(pub_deny)),
        sub=Permission(allow=tuple(sub), deny=tuple(sub_deny)),
    ),
    st.lists(subject, max_size=2),
    st.lists(subject, max_size=2),
    st.lists(queued, max_size=3),
    st.lists(queued, max_size=2),
)


def rules_of(given_limits: UserPermissionLimits) -> Rules:
    """The same lists for the permission tester, which is proven against nats-server."""
    pair = KeyPair.create(KeyKind.ACCOUNT)
    user = Claims(nats=UserBody(limits=given_limits), name="u", sub="U", iss=pair.public.text)
    return explain_rules.rules_of(
        Situation(user=user, account=Claims(nats=AccountBody(), name="a", sub=pair.public.text))
    )


def relation_of(pairs: list[tuple[bool, bool]]) -> Relation:
    both, first, second = (True, True) in pairs, (True, False) in pairs, (False, True) in pairs
    if first and second:
        return Relation.EACH if both else Relation.APART
    if first or second:
        return Relation.MORE if first else Relation.LESS
    return Relation.SAME if both else Relation.NOTHING


@given(limits, limits)
def test_the_relation_is_the_one_that_the_permission_tester_finds_by_trying(
    first: UserPermissionLimits, second: UserPermissionLimits
) -> None:
    parties = [Party(name="x", effective=effective_permissions(one), limits=one) for one in (first, second)]
    found, rules = compare(*parties), [rules_of(one) for one in (first, second)]
    assert found.publish.relation is relation_of(
        [(may_publish(rules[0], one).allowed, may_publish(rules[1], one).allowed) for one in LITERALS]
    )
    named = {entry.partition(" ")[2] for one in (first, second) for entry in (*one.sub.allow, *one.sub.deny)}
    assert found.subscribe.relation is relation_of(
        [
            (may_subscribe(rules[0], one, queue).allowed, may_subscribe(rules[1], one, queue).allowed)
            for one in LITERALS
            for queue in ("", *sorted(named - {""}))
        ]
    )
    for side in (found.publish, found.subscribe):
        one_sided = {one.by_first for one in side.differences}
        assert one_sided == {
            by_first
            for by_first, relations in (
                (True, (Relation.MORE, Relation.EACH, Relation.APART)),
                (False, (Relation.LESS, Relation.EACH, Relation.APART)),
            )
            if side.relation in relations
        }
