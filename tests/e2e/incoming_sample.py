"""Imports, an account whose signature waits elsewhere, and operators with another key."""

from __future__ import annotations

import json
from dataclasses import replace

from identities.claims.permissions import (
    Permission,
)
from identities.models import (
    Account,
    Job,
    Operator,
)
from identities.services import (
    adopting,
    changes,
    clock,
    import_jobs,
    jobs,
    reissuing,
    reissuing_operators,
    resigning,
    unsigned,
    uploads,
)
from identities.services.import_items import Choices
from tests import goldens, make
from tests.e2e.much import UNLIMITED
from tests.elsewhere import Elsewhere


def reissued() -> None:
    """An operator that servers come over to, and bulk work of the worker: half done, and done with some left."""
    rolled = make.operator("Rolled", generate_signing_key=False)
    account = make.account(rolled, "Moved")
    make.user(account, "ann")
    rolled = reissuing_operators.reissue(
        principal=make.COMMAND, operator=rolled, version=Operator.objects.get(pk=rolled.pk).version
    ).operator
    payload = {"old": "", "source": "", "target": "", "reason": "", "total": 40_000}
    below = {"operator": rolled.pk, "source": "", "target": "", "reason": "", "total": 120}
    running = jobs.enqueue(
        principal=make.COMMAND, kind=reissuing.KIND, payload={"account": account.pk, **payload}
    )
    Job.objects.filter(pk=running.pk).update(state="running", done=12_500, total=40_000)
    over = jobs.enqueue(principal=make.COMMAND, kind=reissuing.KIND, payload=below)
    left = json.dumps(
        {"signed": 118, "left": ["Orders", "Tiers"], "left_count": 2, "why": [resigning.TOO_SOON]}
    )
    Job.objects.filter(pk=over.pk).update(state="done", result=left, finished_at=clock.now())


def offline() -> None:
    """An operator whose key is elsewhere: its edit waits for a signature, and that of an account of its."""
    there = Elsewhere()
    seeds = {there.account.public.text: there.account.seed()}
    text = there.operator_jwt(name="Offline")
    operator = adopting.adopt_operator(principal=make.COMMAND, text=text).row
    account = adopting.adopt_account(
        principal=make.COMMAND, operator=operator, text=there.account_jwt(name="Waits"), seeds=seeds
    ).row
    rows: tuple[Operator | Account, ...] = (operator, account)
    for row in rows:
        change = changes.plan(row, changes.edit_body(tags=("env:prod",)), now=clock.unix())
        unsigned.keep(principal=make.COMMAND, row=row, change=change, version=row.version)


def imports(operator: Operator) -> None:
    """An import that was carried out, and the plan of another that asks for a name, a signature and a choice."""
    there = Elsewhere()
    bad = Permission(allow=("a.>.b",))
    moved = [
        there.operator_jwt(name="Moved"),
        there.account_jwt(),
        there.user_jwt(limits=replace(UNLIMITED, pub=bad)),
    ]
    plan = _planned("\n".join(moved).encode(), under="")
    import_jobs.start(principal=make.COMMAND, plan=plan, choices=Choices())
    assert jobs.work_once(import_jobs.HANDLERS)
    other = Elsewhere()
    newer = there.account_jwt(name="Acc", description="newer")
    texts = [
        other.operator_jwt(name="moved"),
        other.account_jwt(by=other.account, name="Self-signed"),
        *(path.read_text() for path in (goldens.GOLDEN / "basics/stores").rglob("*.jwt")),
        newer,
    ]
    _planned("\n".join(texts).encode(), under=operator.public_key)


def _planned(text: bytes, *, under: str) -> Job:
    upload = uploads.begin()
    uploads.add(upload, "pasted text", text)
    job = import_jobs.begin(principal=make.COMMAND, upload=upload, under=under)
    assert jobs.work_once(import_jobs.HANDLERS)
    job.refresh_from_db()
    return job
