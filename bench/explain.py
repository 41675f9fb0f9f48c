"""How many questions a second the permission tester answers, on one core, with no database.

    python bench/explain.py [--seconds 5]

A user of a role with templates and forty subjects, in an account with three mappings and ten imports; half of the
questions are about subjects that are refused, so that every list is gone through to its end, and a third are requests,
which are two questions. The limit: a bare yes or no from the same lists (`effective.may_publish`), without a reason,
mappings and imports, in the same run. Ours must reach a twelfth of it; the exit status says so. Beside it: the lists
drawn up anew for each question, and a log line taken apart.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from identities.claims import effective, explain, templates  # noqa: E402
from identities.claims.account import AccountBody  # noqa: E402
from identities.claims.common import Claims  # noqa: E402
from identities.claims.explain_types import Question, Situation, Verb  # noqa: E402
from identities.claims.exports import Export  # noqa: E402
from identities.claims.imports import Import  # noqa: E402
from identities.claims.limits import OperatorLimits  # noqa: E402
from identities.claims.mappings import WeightedMapping  # noqa: E402
from identities.claims.permissions import Permission, UserPermissionLimits  # noqa: E402
from identities.claims.scopes import USER_SCOPE, SigningKey  # noqa: E402
from identities.claims.user import UserBody  # noqa: E402
from identities.formats import denials  # noqa: E402

ACCOUNT, OTHER, ROLE, USER = (letter * 56 for letter in "AORU")
FLOOR = 1 / 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds / 4
    situation = a_situation()
    questions = [
        Question(verb=Verb.PUBLISH, subject="orders.ann.new"),
        Question(verb=Verb.PUBLISH, subject="nowhere.at.all"),
        Question(verb=Verb.SUBSCRIBE, subject="orders.>", queue="workers"),
        Question(verb=Verb.SUBSCRIBE, subject="elsewhere.*"),
        Question(verb=Verb.REQUEST, subject="help.3.x"),
        Question(verb=Verb.REQUEST, subject="nowhere"),
    ]
    tester = explain.Tester.of(situation)
    asked = rate(lambda: [tester.ask(question) for question in questions], seconds) * len(questions)
    fresh = rate(lambda: explain.ask(situation, questions[0]), seconds)
    limits, body = situation.user.nats.limits, situation.account.nats
    template = body.signing_keys[0].template
    assert template is not None
    given = templates.expand_template(template, "ann", USER, "Shop", ACCOUNT, situation.user.nats.tags, ())
    lists = effective.effective_permissions(limits, body.default_permissions, given)
    bare = rate(lambda: effective.may_publish(lists, "nowhere.at.all"), seconds)
    line = f'[1] [ERR] 127.0.0.1:1 - cid:6 - "py" - "{ACCOUNT}/Shop/jwt:{USER}" - Publish Violation - Subject "a.b"'
    parsed = rate(lambda: denials.parse(line), seconds)
    print(f"questions answered with the rule that decides: {asked:8,.0f} a second")
    print(f"the same, the lists drawn up for each one:     {fresh:8,.0f} a second")
    print(f"a bare yes or no from the same lists:          {bare:8,.0f} a second")
    print(f"log lines taken apart:                         {parsed:8,.0f} a second")
    ratio = asked / bare
    print(f"ratio {ratio:.3f}, floor {FLOOR:.3f}: {'holds' if ratio >= FLOOR else 'BROKEN'}")
    return 0 if ratio >= FLOOR else 1


def rate(work: Callable[[], object], seconds: float) -> float:
    """How often `work` runs in a second."""
    work()
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        work()
        count += 1
    return count / spent


def a_situation() -> Situation:
    """A user of a role, in an account with something of everything."""
    allow = (
        "orders.{{name()}}.>",
        "{{tag(team)}}.>",
        "help.>",
        *(f"service.{number}.*" for number in range(37)),
    )
    template = replace(
        UserPermissionLimits.unlimited(),
        pub=Permission(allow=allow, deny=("orders.{{name()}}.secret",)),
        sub=Permission(allow=("orders.> workers", "_INBOX.>", *allow[3:]), deny=("orders.secret",)),
    )
    imports = tuple(
        Import(name="i", subject=f"help.{n}.*", account=OTHER, type="service", local_subject=f"help.{n}.$1")
        for n in range(10)
    )
    account = AccountBody(
        limits=OperatorLimits.unlimited(),
        signing_keys=(SigningKey(kind=USER_SCOPE, key=ROLE, role="service", template=template),),
        imports=imports,
        mappings={f"old.{n}.*": (WeightedMapping(subject=f"new.{n}.$1"),) for n in range(3)},
    )
    exporter = AccountBody(exports=(Export(subject="help.>", type="service"),))
    body = UserBody(limits=UserPermissionLimits(), issuer_account=ACCOUNT, tags=("team:blue", "team:red"))
    return Situation(
        user=Claims(nats=body, name="ann", sub=USER, iss=ROLE, iat=1),
        account=Claims(nats=account, name="Shop", sub=ACCOUNT),
        others={OTHER: Claims(nats=exporter, name="Exporter", sub=OTHER)},
    )


if __name__ == "__main__":
    raise SystemExit(main())
