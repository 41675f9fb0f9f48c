"""The permission tester: verdict, deciding field and words; what nats-server does is asked in the agreement test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims import explain, explain_rules, explain_steps
from identities.claims.account import ExternalAuthorization
from identities.claims.effective import effective_permissions
from identities.claims.explain_types import Verdict, Whose
from identities.claims.limits import OperatorLimits
from identities.claims.permissions import Permission, Permissions, ResponsePermission
from identities.claims.user import UserBody
from tests.claims.situations import ACCOUNT, UNLIMITED, USER, allow, ask, mapping, situation, told

# --- whose rule decides


def test_the_user_s_own_list_decides() -> None:
    about = situation(pub=allow("a", "orders.>", deny=("orders.secret",)))
    assert told(ask(about, "publish", "orders.new")) == ("yes", "user", "nats.pub.allow[1]")
    assert told(ask(about, "publish", "orders.secret")) == ("no", "user", "nats.pub.deny[0]")
    refused = ask(about, "publish", "orders")
    assert told(refused) == ("no", "user", "nats.pub.allow")
    assert "`a`, `orders.>` only" in refused.reason
    assert refused.hints == ("`orders.>` stands for everything below `orders`, not for `orders` itself.",)


def test_without_any_rule_everything_is_free() -> None:
    answer = ask(situation(), "publish", "x")
    assert (answer.verdict, answer.place) == (Verdict.YES, None)
    assert answer.reason == "Neither the user nor its account has any rule, so publishing is free everywhere."
    only_deny = situation(pub=Permission(deny=("x",)))
    assert told(ask(only_deny, "publish", "y")) == ("yes", "user", "nats.pub.allow")
    assert "free everywhere that is not denied" in ask(only_deny, "subscribe", "y").reason


def test_the_account_s_defaults_decide_for_a_user_without_rules() -> None:
    defaults = Permissions(pub=allow("d.*"), sub=Permission(deny=("s",)))
    about = situation(default_permissions=defaults)
    assert told(ask(about, "publish", "d.x")) == ("yes", "account", "nats.default_permissions.pub.allow[0]")
    assert told(ask(about, "subscribe", "s")) == ("no", "account", "nats.default_permissions.sub.deny[0]")
    assert "default permissions of the account “Shop”" in ask(about, "publish", "x").reason
    assert told(ask(situation(default_permissions=defaults, sub=allow("q")), "publish", "x"))[0] == "yes"


def test_a_role_decides_with_its_template_filled_in() -> None:
    template = replace(UNLIMITED, pub=allow("x", "a.{{tag(team)}}.{{name()}}"))
    about = situation(template=template, tags=("team:blue", "team:red"))
    answer = ask(about, "publish", "a.red.ann")
    assert told(answer) == ("yes", "role", "nats.signing_keys[0].template.pub.allow[1]")
    assert answer.place is not None
    assert (answer.place.entry, answer.place.became) == ("a.{{tag(team)}}.{{name()}}", "a.red.ann")
    assert "`a.red.ann` (made of `a.{{tag(team)}}.{{name()}}`)" in answer.reason
    assert told(ask(about, "publish", "a.green.ann"))[0] == "no"


def test_entries_of_a_role_that_come_to_nothing_are_named() -> None:
    some = situation(template=replace(UNLIMITED, pub=allow("x", "a.{{tag(none)}}")))
    answer = ask(some, "publish", "a.b")
    assert "`a.{{tag(none)}}` of the role “service” comes out as no subject" in answer.hints[0]
    none = situation(template=replace(UNLIMITED, pub=allow("a.{{tag(none)}}")))
    answer = ask(none, "publish", "a.b")
    assert told(answer) == ("no", "role", "nats.signing_keys[0].template.pub.allow")
    assert "come out as none for this user" in answer.reason


def test_a_role_that_can_t_be_filled_in_keeps_the_user_out() -> None:
    about = situation(template=replace(UNLIMITED, pub=Permission(deny=("a.{{tag(none)}}",))))
    answer = ask(about, "publish", "x")
    assert told(answer) == ("no", "role", "nats.signing_keys[0].template")
    assert "It can't log in" in answer.reason


@given(
    pub=st.lists(st.sampled_from(("a", "b.>", "*.c")), max_size=2),
    deny=st.lists(st.sampled_from(("a", "b.x", "c q")), max_size=2),
    resp=st.booleans(),
    by_role=st.booleans(),
    default=st.booleans(),
)
def test_the_lists_are_those_of_effective_permissions(
    pub: list[str], deny: list[str], resp: bool, by_role: bool, default: bool
) -> None:
    rules = replace(
        UNLIMITED,
        pub=Permission(allow=tuple(pub)),
        sub=Permission(deny=tuple(deny)),
        resp=ResponsePermission() if resp else None,
    )
    defaults = Permissions(pub=allow("d")) if default else Permissions()
    about = (
        situation(template=rules, default_permissions=defaults)
        if by_role
        else situation(pub=rules.pub, sub=rules.sub, resp=rules.resp, default_permissions=defaults)
    )
    found = explain_rules.rules_of(about)
    wanted = effective_permissions(about.user.nats.limits, defaults, rules if by_role else None)

    def listed(entries: Any) -> tuple[str, ...]:
        return (
            (">",) if entries is None else tuple(f"{each.subject} {each.queue}".strip() for each in entries)
        )

    assert (listed(found.pub_allow), listed(found.sub_allow)) == (wanted.pub_allow, wanted.sub_allow)
    assert (listed(found.pub_deny), listed(found.sub_deny)) == (wanted.pub_deny, wanted.sub_deny)
    assert found.resp == wanted.resp


def test_an_empty_list_that_is_written_down_lets_nothing_out() -> None:
    limits = replace(UNLIMITED, pub=Permission(deny=("x",)))
    source = {"nats": {"pub": {"allow": [], "deny": ["x"]}}}
    about = situation(user={"nats": UserBody(limits=limits, issuer_account=ACCOUNT), "source": source})
    assert told(ask(about, "publish", "y")) == ("no", "user", "nats.pub.allow")


# --- subscribing


def test_queue_groups_have_rules_of_their_own() -> None:
    about = situation(sub=allow("work workers", "plain", "both", "both v1"))
    assert told(ask(about, "subscribe", "work", "workers")) == ("yes", "user", "nats.sub.allow[0]")
    for queue in ("", "others"):
        answer = ask(about, "subscribe", "work", queue)
        assert told(answer) == ("no", "user", "nats.sub.allow[0]")
        assert "in the queue group `workers` only" in answer.reason
    assert ask(about, "subscribe", "plain", "any").verdict is Verdict.YES
    assert ask(about, "subscribe", "both").verdict is Verdict.YES
    assert ask(about, "subscribe", "both", "v2").verdict is Verdict.NO
    assert told(ask(situation(), "subscribe", "x", "_sys_"))[:2] == ("no", "nats-server")


def test_a_denied_queue_group_leaves_the_subject_free() -> None:
    about = situation(sub=Permission(deny=("a admins.*",)))
    assert told(ask(about, "subscribe", "a", "admins.x")) == ("no", "user", "nats.sub.deny[0]")
    assert ask(about, "subscribe", "a").verdict is Verdict.YES


def test_denies_inside_a_wider_subscription_hold_messages_back() -> None:
    about = situation(sub=allow("orders.>", deny=("orders.secret", "orders.x q", "other")))
    answer = ask(about, "subscribe", "orders.*")
    assert answer.verdict is Verdict.YES
    assert [entry.subject for entry in answer.withheld] == ["orders.secret"]
    assert [entry.subject for entry in ask(about, "subscribe", "orders.*", "q").withheld] == [
        "orders.secret",
        "orders.x",
    ]
    assert "held back" in explain_steps.steps(answer)[0].text


def test_the_server_lets_a_full_wildcard_through_a_partial_one() -> None:
    answer = ask(situation(sub=allow("orders.*")), "subscribe", "orders.>")
    assert answer.verdict is Verdict.YES
    assert "reaches further than `orders.*`" in answer.reason


# --- answers, requests


def test_a_response_permission_lets_answers_out() -> None:
    about = situation(resp=ResponsePermission(max=3, ttl=5 * 10**9), sub=allow("req"))
    answer = ask(about, "publish", "_INBOX.x.1")
    assert told(answer) == ("sometimes", "user", "nats.resp")
    assert (
        "as an answer only: to the reply address of a request received, 3 messages, within 5 s."
        in answer.reason
    )
    usual = ask(situation(resp=ResponsePermission()), "publish", "x")
    assert "one message, within 2 min." in usual.reason
    endless = ask(situation(resp=ResponsePermission(max=-1, ttl=-1)), "publish", "x")
    assert "any number of messages, without a limit of time." in endless.reason


def test_a_request_needs_an_inbox() -> None:
    about = situation(pub=allow("req.a"), sub=allow("_INBOX_ann.>"))
    answer = ask(about, "request", "req.a")
    assert told(answer) == ("no", "user", "nats.sub.allow")
    assert "its answer can't arrive" in answer.reason
    assert any("sets its inbox prefix to `_INBOX_ann`" in hint for hint in answer.hints)
    assert ask(about, "request", "req.a", inbox="_INBOX_ann").verdict is Verdict.YES
    assert ask(situation(), "request", "req.a").verdict is Verdict.YES
    refused = ask(situation(pub=allow("x")), "request", "req.a")
    assert told(refused) == ("no", "user", "nats.pub.allow")
    assert "The answer can arrive" in explain_steps.steps(refused)[-1].text


def test_reply_addresses_of_the_server_s_own_are_refused() -> None:
    assert told(ask(situation(), "request", "a", inbox="_R_"))[:2] == ("no", "nats-server")
    assert told(ask(situation(), "publish", "$NRG.x"))[:2] == ("no", "nats-server")
    assert told(ask(situation(), "publish", "_GR_.x"))[:2] == ("no", "nats-server")
    system = replace(situation(), system_account=ACCOUNT)
    assert ask(system, "publish", "$NRG.x").verdict is Verdict.YES


def test_auth_callout_keeps_its_requests_for_the_server() -> None:
    about = situation(authorization=ExternalAuthorization(auth_users=(USER,)))
    assert told(ask(about, "publish", "$SYS.REQ.USER.AUTH")) == (
        "no",
        "account",
        "nats.authorization.auth_users",
    )


# --- login


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"user": {"iss": "X" * 56}}, "nats.signing_keys"),
        ({"user": {"exp": 900}, "now": 1000}, "exp"),
        ({"user": {"nbf": 1100}, "now": 1000}, "nbf"),
        ({"revocations": {USER: 100}}, f"nats.revocations.{USER}"),
        ({"revocations": {"*": 200}}, "nats.revocations.*"),
    ],
)
def test_what_keeps_a_user_out_decides_before_permissions(changes: dict[str, Any], path: str) -> None:
    answer = ask(situation(**changes), "publish", "x")
    assert answer.verdict is Verdict.NO
    assert answer.place is not None
    assert answer.place.path == path
    assert answer.reason.startswith("It can't log in.")


def test_a_user_issued_after_the_revocation_may_log_in() -> None:
    assert ask(situation(revocations={USER: 99}), "publish", "x").verdict is Verdict.YES


def test_strict_operators_bearer_users_and_roles_with_rules_of_their_own() -> None:
    strict = replace(situation(user={"iss": ACCOUNT}), strict=True)
    assert told(ask(strict, "publish", "x")) == ("no", "account", "nats.signing_keys")
    bearer = UserBody(limits=replace(UNLIMITED, bearer_token=True), issuer_account=ACCOUNT)
    limits = replace(OperatorLimits.unlimited(), disallow_bearer=True)
    assert (
        told(ask(situation(user={"nats": bearer}, limits=limits), "publish", "x"))[2]
        == "nats.limits.disallow_bearer"
    )
    own = UserBody(limits=UNLIMITED, issuer_account=ACCOUNT)
    assert told(ask(situation(template=UNLIMITED, user={"nats": own}), "publish", "x")) == (
        "no",
        "user",
        "nats",
    )


# --- questions and JSON


@pytest.mark.parametrize(
    ("verb", "subject", "queue", "field"),
    [
        ("publish", "", "", "subject"),
        ("publish", "a..b", "", "subject"),
        ("publish", "a b", "", "subject"),
        ("publish", "a.*", "", "subject"),
        ("request", "a.>", "", "subject"),
        ("subscribe", "a.>.b", "", "subject"),
        ("subscribe", "a", "q q", "queue"),
    ],
)
def test_what_can_t_be_asked_is_refused_in_words(verb: str, subject: str, queue: str, field: str) -> None:
    with pytest.raises(explain.BadQuestion) as refused:
        ask(situation(), verb, subject, queue)
    assert refused.value.field == field


def test_jetstream_that_is_off_is_told() -> None:
    answer = ask(situation(), "request", "$JS.API.STREAM.INFO.orders")
    assert "JetStream is off for this account" in answer.hints[0]
    limits = replace(OperatorLimits.unlimited(), disk_storage=-1)
    assert ask(situation(limits=limits), "request", "$JS.API.STREAM.INFO.orders").hints == ()


@pytest.mark.parametrize(
    ("pattern", "asked", "said"),
    [
        ("orders.*", "orders.a.b", "`orders.*` stands for one token more than `orders`; `>` takes more."),
        ("Orders.new", "orders.new", "differs from `orders.new` in capital letters"),
        ("*", "a.b", "`*` stands for one token more than `(nothing)`"),
    ],
)
def test_near_misses_are_named(pattern: str, asked: str, said: str) -> None:
    assert said in ask(situation(pub=allow(pattern)), "publish", asked).hints[0]


def test_an_answer_as_json_and_as_a_headline() -> None:
    about = situation(pub=allow("a"))
    document = explain_steps.as_json(ask(about, "publish", "a"))
    assert document["verdict"] == "yes"
    assert document["rule"] == {
        "whose": Whose.USER.value, "key": USER, "path": "nats.pub.allow[0]", "entry": "a", "became": "a",
    }  # fmt: skip
    assert explain_steps.headline(ask(about, "publish", "a"), "ann") == "Yes: ann may publish to `a`."
    assert explain_steps.headline(ask(about, "publish", "b"), "ann") == "No: ann may not publish to `b`."
    group = explain_steps.headline(ask(about, "subscribe", "b", "q"), "ann")
    assert group == "Yes: ann may subscribe to `b` in the queue group `q`."


def test_long_ways_are_cut_with_a_count() -> None:
    mappings = {"x": mapping(("y.{{random(200)}}", 0))}
    steps = explain_steps.steps(ask(situation(mappings=mappings), "publish", "x"))
    assert len(steps) == 41
    assert steps[-1].text == "And 360 more."
