"""The permission tester, where mappings of the account turn a subject into others."""

from __future__ import annotations

from identities.claims import explain_steps
from identities.claims.explain_types import Verdict
from tests.claims.situations import allow, ask, mapping, situation


def test_permissions_are_asked_about_what_a_mapping_makes_of_the_subject() -> None:
    about = situation(pub=allow("orders.new"), mappings={"orders.*": mapping(("v2.orders.$1", 0))})
    answer = ask(about, "publish", "orders.new")
    assert answer.verdict is Verdict.NO
    assert answer.reason.startswith("A mapping of the account turns `orders.new` into `v2.orders.new`.")
    named = ask(about, "publish", "v2.orders.new", mapped=True)
    assert named.verdict is Verdict.NO
    assert "makes this of `orders.*`" in named.hints[-1]
    assert ask(
        situation(pub=allow("v2.>"), mappings=about.account.nats.mappings), "publish", "orders.new"
    ).verdict is (Verdict.YES)


def test_weights_make_it_chance() -> None:
    about = situation(pub=allow("a.>"), mappings={"x": mapping(("a.x", 30), ("b.x", 60))})
    answer = ask(about, "publish", "x")
    assert answer.verdict is Verdict.SOMETIMES
    assert {(one.subject, one.outcome.share) for one in answer.sent if one.outcome} == {
        ("a.x", 30),
        ("b.x", 60),
        ("x", 10),
    }
    texts = [step.text for step in explain_steps.steps(answer)]
    assert "A mapping: `x` becomes `b.x` (60 in 100 messages)." in texts


def test_a_mapping_that_names_its_source_loses_the_rest() -> None:
    answer = ask(situation(mappings={"x": mapping(("x", 40))}), "publish", "x")
    assert answer.verdict is Verdict.SOMETIMES
    assert "A mapping: `x` goes nowhere (60 in 100 messages)." in [
        step.text for step in explain_steps.steps(answer)
    ]


def test_mappings_of_a_cluster_count_there_only() -> None:
    mappings = {"x": mapping(("east.x", 100), cluster="east")}
    for cluster, subjects in ((None, {"x", "east.x"}), ("east", {"east.x"}), ("west", {"x"})):
        answer = ask(situation(mappings=mappings, cluster=cluster), "publish", "x")
        assert {one.subject for one in answer.sent} == subjects
    unknown = explain_steps.steps(ask(situation(mappings=mappings), "publish", "x"))
    assert {step.text for step in unknown if "A mapping" in step.text} == {
        "A mapping: `x` becomes `x` (always, outside of the clusters named in the mapping).",
        "A mapping: `x` becomes `east.x` (always, in the cluster east).",
    }


def test_a_mapping_that_the_server_drops_changes_nothing() -> None:
    for targets in (mapping(("a", 60), ("a", 40)), mapping(("b.$1", 0)), mapping(("a", 60), ("b", 60))):
        assert [one.subject for one in ask(situation(mappings={"x": targets}), "publish", "x").sent] == ["x"]


def test_two_mappings_of_one_subject_are_chance() -> None:
    mappings = {"a.*": mapping(("b.$1", 0)), "*.x": mapping(("c.$1", 0))}
    answer = ask(situation(mappings=mappings), "publish", "a.x")
    assert {one.subject for one in answer.sent} == {"b.x", "c.a"}
    assert "which one wins is chance" in answer.reason


def test_subscribers_of_a_mapped_subject_are_told() -> None:
    answer = ask(situation(mappings={"a.*": mapping(("b.$1", 0))}), "subscribe", "a.>")
    assert "takes what clients publish on `a.*` elsewhere" in answer.hints[0]
