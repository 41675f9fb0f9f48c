"""The permission tester, where imports lead into another account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import explain_steps
from identities.claims.account import AccountBody
from identities.claims.exports import Export
from identities.claims.imports import Import
from tests.claims.situations import ACCOUNT, OTHER, ask, mapping, situation


def imported(**fields: Any) -> Import:
    return Import(**{"name": "i", "account": OTHER, "type": "service", **fields})


def exporter(*exports: Export, **fields: Any) -> AccountBody:
    return AccountBody(exports=exports, **fields)


def test_a_service_import_leads_to_the_exporter_s_subject() -> None:
    one = imported(subject="help.*.*", local_subject="l.$2.$1")
    about = situation(imports=(one,), other=exporter(Export(subject="help.*.*", type="service")))
    (landing,) = ask(about, "publish", "l.a.b").sent[0].landings
    assert (landing.account, landing.name, landing.subject, landing.problem) == (
        OTHER,
        "Exporter",
        "help.b.a",
        "",
    )
    assert landing.place.path == "nats.imports[0]"
    step = explain_steps.steps(ask(about, "publish", "l.a.b"))[0]
    assert step.text == "A service import takes `l.a.b` to the account “Exporter”, as `help.b.a` there."
    assert ask(about, "publish", "l.a").sent[0].landings == ()


def test_the_exporter_s_mapping_and_its_own_imports_go_on_from_there() -> None:
    other = exporter(
        Export(subject="help", type="service"),
        mappings={"help": mapping(("v2.help", 0))},
        imports=(imported(account=ACCOUNT, subject="back", local_subject="v2.help"),),
    )
    about = situation(
        imports=(imported(subject="help"),), other=other, exports=(Export(subject="back", type="service"),)
    )
    about = replace(about, others={**about.others, ACCOUNT: about.account})
    landings = ask(about, "publish", "help").sent[0].landings
    assert [(each.account, each.subject) for each in landings] == [(OTHER, "v2.help"), (ACCOUNT, "back")]


@pytest.mark.parametrize(
    ("export", "subject", "problem"),
    [
        (None, "help", "exports no service `help`"),
        (Export(subject="help", type="stream"), "help", "exports no service `help`"),
        (Export(subject="help", type="service", token_req=True), "help", "has no activation token"),
        (
            Export(subject="*.help", type="service", account_token_position=1),
            "x.help",
            "this account's own key",
        ),
        (Export(subject="*.help", type="service", account_token_position=1), f"{ACCOUNT}.help", ""),
        (Export(subject="help.>", type="service"), "help.x", ""),
    ],
)
def test_an_import_that_the_exporter_does_not_allow_leads_nowhere(
    export: Export | None, subject: str, problem: str
) -> None:
    other = exporter(*([export] if export else []))
    about = situation(imports=(imported(subject=subject),), other=other)
    (landing,) = ask(about, "publish", subject).sent[0].landings
    assert problem in landing.problem
    assert bool(landing.problem) is bool(problem)
    if problem:
        assert "but does not" in explain_steps.steps(ask(about, "publish", subject))[0].text


def test_an_exporter_that_is_not_known_here_is_named_by_its_key() -> None:
    (landing,) = ask(situation(imports=(imported(subject="help"),)), "publish", "help").sent[0].landings
    assert landing.problem == "the exporting account is not known here"
    assert (
        OTHER
        in explain_steps.steps(ask(situation(imports=(imported(subject="help"),)), "publish", "help"))[0].text
    )


@pytest.mark.parametrize(
    ("asked", "listened"),
    [
        ("l.>", "s.*.*"),
        ("l.*.x", "s.x.*"),
        ("l.y.x", "s.x.y"),
        (">", "s.*.*"),
        ("*.y.>", "s.*.y"),
        ("m.>", None),
    ],
)
def test_streams_come_in_where_a_subscription_meets_an_import(asked: str, listened: str | None) -> None:
    one = imported(subject="s.*.*", local_subject="l.$2.$1", type="stream")
    about = situation(imports=(one,), other=exporter(Export(subject="s.>", type="stream")))
    arrivals = ask(about, "subscribe", asked).arrivals
    assert [each.subject for each in arrivals] == ([listened] if listened else [])
    assert all(each.local == "l.*.*" and not each.problem for each in arrivals)


def test_of_one_stream_nats_server_keeps_the_first_import_that_it_accepts() -> None:
    lost = imported(subject="s.*.*", local_subject="l.$1", type="stream")
    first, again = (imported(subject="s.>", local_subject=local, type="stream") for local in ("l.>", "m.>"))
    part = imported(subject="s.a", type="stream")
    about = situation(
        imports=(lost, replace(lost, local_subject="l.$2.$1"), first, again, part, again),
        other=exporter(Export(subject="s.>", type="stream")),
    )
    problems = {each.place.path: each.problem for each in ask(about, "subscribe", ">").arrivals}
    told = {
        path for path, problem in problems.items() if "keeps only the first import of a stream" in problem
    }
    assert told == {"nats.imports[3]", "nats.imports[5]"}
    assert "`l.>`" in problems["nats.imports[3]"]
    assert "drops the import" in problems["nats.imports[0]"]  # and so does not stand before the next
    assert {path for path, problem in problems.items() if not problem} == {
        f"nats.imports[{index}]" for index in (1, 2, 4)
    }
