from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims.effective import Effective, effective_permissions, may_publish, may_subscribe
from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    UserPermissionLimits,
)
from identities.claims.subjects import matches

LITERALS = [
    ".".join(parts) for length in (1, 2, 3, 4, 5) for parts in itertools.product("abc", repeat=length)
]
patterns = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(st.sampled_from(("a", "b", "*")), min_size=1, max_size=3),
    st.sampled_from([(), (">",)]),
) | st.just(">")
NOTHING = UserPermissionLimits()
DEFAULTS = Permissions(pub=Permission(allow=("d.>",)), sub=Permission(deny=("s",)))


def test_without_any_rule_everything_is_open() -> None:
    effective = effective_permissions(NOTHING, Permissions())
    assert effective == Effective()
    assert may_publish(effective, "a")
    assert may_subscribe(effective, ">")


def test_defaults_apply_only_to_a_user_without_any_rule() -> None:
    assert effective_permissions(NOTHING, DEFAULTS).pub_allow == ("d.>",)
    assert effective_permissions(NOTHING, DEFAULTS).origin == "account"
    own = UserPermissionLimits(sub=Permission(allow=("x",)))
    effective = effective_permissions(own, DEFAULTS)
    assert (effective.pub_allow, effective.sub_allow, effective.sub_deny) == ((">",), ("x",), ())
    assert effective.origin == "user"


def test_a_role_s_template_stands_in_for_the_user_s_own_rules() -> None:
    template = UserPermissionLimits(pub=Permission(deny=(">",)))
    effective = effective_permissions(NOTHING, DEFAULTS, template)
    assert effective.origin == "role"
    assert not may_publish(effective, "d.x")
    assert effective_permissions(NOTHING, DEFAULTS, NOTHING).origin == "account"


def test_response_permission_alone_means_replies_only() -> None:
    effective = effective_permissions(UserPermissionLimits(resp=ResponsePermission()))
    assert not may_publish(effective, ">")
    assert may_subscribe(effective, ">")
    assert effective.resp == ResponsePermission(max=1, ttl=120 * 10**9)


@pytest.mark.parametrize(
    ("allow", "deny", "subject", "may"),
    [
        (("orders.>",), (), "orders.a", True),
        (("orders.>",), (), "orders", False),
        (("orders.*",), ("orders.secret",), "orders.>", True),
        (("orders.secret",), ("orders.>",), "orders.secret", False),
        (("orders.>",), ("orders.*", "orders.*.>"), "orders.>", False),
        (("orders.>",), ("orders.*", "orders.*.*"), "orders.>", True),
        ((">",), ("*", "*.>"), ">", False),
        ((">",), (">",), "a", False),
        ((">",), ("a.*",), "a.*", False),
        ((">",), ("a.b",), "a.*", True),
    ],
)
def test_denials_take_away_from_what_is_allowed(
    allow: tuple[str, ...], deny: tuple[str, ...], subject: str, may: bool
) -> None:
    assert may_publish(Effective(pub_allow=allow, pub_deny=deny), subject) is may


def test_a_queue_group_is_a_way_to_subscribe() -> None:
    effective = Effective(sub_allow=("work.> workers",), sub_deny=("work.a admins", "work.b"))
    assert [may_subscribe(effective, f"work.{name}") for name in "abc"] == [True, False, True]


def test_a_full_wildcard_passes_a_partial_one_at_the_end_of_what_may_be_subscribed_to() -> None:
    assert may_subscribe(Effective(sub_allow=("a.*",)), "a.b.c")
    assert not may_subscribe(Effective(sub_allow=("a.*",), sub_deny=("a.>",)), "a.b.c")
    assert not may_subscribe(Effective(sub_allow=("*.b",)), "a.b.c")
    assert not may_publish(Effective(pub_allow=("a.*",)), "a.b.c")


@given(st.lists(patterns, max_size=2), st.lists(patterns, max_size=3), patterns)
def test_what_remains_is_what_trying_every_subject_finds(
    allow: list[str], deny: list[str], asked: str
) -> None:
    effective = Effective(pub_allow=tuple(allow), pub_deny=tuple(deny))
    possible = any(
        matches(literal, asked)
        and any(matches(literal, pattern) for pattern in allow)
        and not any(matches(literal, pattern) for pattern in deny)
        for literal in LITERALS
    )
    assert may_publish(effective, asked) is possible
