"""What permission lists get wrong."""

from __future__ import annotations

from identities.claims.effective import Effective, may_subscribe
from identities.claims.findings import Kind, of


def found(given: Effective) -> list[tuple[Kind, str, str]]:
    return [(one.kind, one.path, one.entry) for one in of(given)]


def test_everything_open_is_said_once_for_both_sides() -> None:
    assert [one.text for one in of(Effective())] == [
        "May publish and subscribe everywhere: name the subjects that it needs."
    ]
    half = of(Effective(pub_deny=("a",)))
    assert [one.text for one in half] == ["May subscribe everywhere: name the subjects that it needs."]


def test_a_deny_of_what_nothing_allows_is_found() -> None:
    given = Effective(
        pub_allow=("a.>",), pub_deny=("a.b", "b"), sub_allow=("a.* work",), sub_deny=("c q", "a.x.y", "a.>")
    )
    assert found(given) == [(Kind.DEAD_DENY, "pub.deny", "b"), (Kind.DEAD_DENY, "sub.deny", "c q")]


def test_a_star_at_the_end_is_wider_unless_a_deny_keeps_it() -> None:
    given = Effective(pub_allow=("x.*",), sub_allow=("a.*", "b.*.c"))
    assert found(given) == [(Kind.WIDE_STAR, "sub.allow", "a.*")]
    assert may_subscribe(given, "a.b.c")
    kept = Effective(pub_allow=("x",), sub_allow=("a.*",), sub_deny=("a.>",))
    assert Kind.WIDE_STAR not in {kind for kind, *_ in found(kept)}
    assert not may_subscribe(kept, "a.b.c")
