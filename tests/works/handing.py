"""What comes in from nsc, and what is handed out."""

from __future__ import annotations

from identities.claims.drafts import ShortLivedDraft, UserDraft
from identities.models import Job, Key, WorkloadRule
from identities.policy.terms import Terms
from identities.queries import handed_out
from identities.queries.activity import Wanted
from identities.resolver.oidc_drafts import WorkloadDraft
from identities.services import (
    account_creds,
    adopting,
    adopting_users,
    audit_exporting,
    creds,
    exporting,
    handover_links,
    import_jobs,
    importing,
    issuing_terms,
    ledger_exporting,
    short_lived,
    taking_back,
    uploads,
    workload_rules,
)
from identities.services.import_items import Choices
from tests import goldens, make, nscfiles
from tests.works.sample import LINK, TAKEN, WHO, Sample, Work

RULE = WorkloadDraft(
    name="New",
    issuer="https://ci.example.com",
    audience="nscweb",
    conditions=(("repository", "acme/shop"),),
    user_name="ci",
    seconds=60,
)


def _role(at: Sample) -> Key:
    return Key.objects.get(account=at.account, public_key=at.role)


def _adopt_operator(at: Sample) -> object:
    store = goldens.store("basics", "Test")
    return adopting.adopt_operator(**WHO, text=store.text, seeds=goldens.seeds())


def _adopt_account(at: Sample) -> object:
    text = goldens.store("basics", "Test").accounts["TestAccount"].text
    return adopting.adopt_account(**WHO, operator=at.operator, text=text, seeds=goldens.seeds(), foreign=True)


def _adopt_users(at: Sample) -> object:
    text = at.elsewhere
    return adopting_users.adopt_users(**WHO, account=at.account, texts=[text])


def _whole_import(at: Sample) -> object:
    collected = nscfiles.texts(goldens.store("basics", "Test").text)
    return importing.perform(**WHO, collected=collected)


def _begin_import(at: Sample) -> Job:
    upload = uploads.begin()
    uploads.add(upload, "a.jwt", goldens.store("basics", "Test").text.encode())
    return import_jobs.begin(**WHO, upload=upload)


def _rule(at: Sample) -> WorkloadRule:
    return WorkloadRule.objects.get(pk=at.rule.pk)


WORKS: dict[str, Work] = {
    "importing.perform": _whole_import,
    "import_jobs.begin": _begin_import,
    "import_jobs.start": lambda at: import_jobs.start(**WHO, plan=at.plan, choices=Choices()),
    "import_jobs.discard": lambda at: import_jobs.discard(**WHO, plan=at.plan),
    "adopting.adopt_operator": _adopt_operator,
    "adopting.adopt_account": _adopt_account,
    "adopting_users.adopt_users": _adopt_users,
    "creds.creds_file": lambda at: creds.creds_file(**WHO, user=at.user),
    "creds.creds_files": lambda at: creds.creds_files(**WHO, account=at.account, users=[at.user]),
    "account_creds.prepare": lambda at: account_creds.prepare(**WHO, account=at.account),
    "audit_exporting.export": lambda at: audit_exporting.export(**WHO, wanted=Wanted()),
    "exporting.prepare": lambda at: exporting.prepare(**WHO, operator=at.operator, with_keys=True),
    "short_lived.issue": lambda at: short_lived.issue(
        **WHO, role=_role(at), draft=ShortLivedDraft(name="New")
    ),
    "issuing_terms.edit": lambda at: issuing_terms.edit(**WHO, key=_role(at), terms=Terms(usual=120)),
    "workload_rules.create": lambda at: workload_rules.create(**WHO, role=_role(at), draft=RULE),
    "workload_rules.update": lambda at: workload_rules.update(**WHO, rule=_rule(at), draft=RULE, version=1),
    "workload_rules.delete": lambda at: workload_rules.delete(**WHO, rule=_rule(at), version=1),
    "handover_links.make": lambda at: handover_links.make(**WHO, user=at.user, wish=LINK),
    "handover_links.take": lambda at: handover_links.take(**WHO, token=TAKEN[0].token),
    "handover_links.revoke": lambda at: handover_links.revoke(**WHO, user=at.user, link_id=TAKEN[1].link.pk),
    "taking_back.take_back": lambda at: taking_back.take_back(**WHO, recipient=make.COMMAND.key),
    "ledger_exporting.export": lambda at: ledger_exporting.export(**WHO, wanted=handed_out.Wanted()),
    "creds.issue": lambda at: creds.issue(**WHO, account=at.account, drafts=[UserDraft(name="New")]),
    "creds.user_jwt": lambda at: creds.user_jwt(**WHO, user=at.bearer),
}
