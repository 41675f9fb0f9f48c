"""What pages of exports, imports and activations have in common, as plain strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from identities.claims import sharing as rules
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.report import Grade, Issue
from identities.claims.sharing import Exporter
from identities.forms.refusals import sentence
from identities.models import Account
from identities.policy.principal import Principal
from identities.views import describing, shown

MOST_ROWS = 200
"""How many entries of a list are shown; a filter finds the others."""
MOST_NAMES = 200
WITH_ACCOUNTS = "identities/exports/with_accounts.html"
"""Fields of a form, with suggestions for those that name an account."""
OK = shown.State(word="OK", tone="ok", icon="circle-check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How much of a list is shown: `text` counts it, `more` says that a filter is needed to see the rest."""

    text: str
    more: bool
    q: str
    filtered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting in words, with NATS's own word for it; `code` is a subject."""

    label: str
    word: str
    value: str = ""
    code: str = ""


def entry_url(name: str, account: Account, handle: str, *more: object) -> str:
    """The URL of a page of an export or import, whose account's operator is loaded."""
    return reverse(name, args=[account.operator.public_key, account.public_key, handle, *more])


def cut(number: int, found: int, noun: str, q: str) -> Cut:
    """Of `number` entries `found` fit the filter `q`."""
    whole = shown.plural(number, noun)
    if found > MOST_ROWS:
        return Cut(text=f"{MOST_ROWS} of {found:,} {noun}s", more=True, q=q, filtered=bool(q))
    return Cut(text=f"{found:,} of {whole}" if q else whole, more=False, q=q, filtered=bool(q))


def matches(q: str, *texts: str) -> bool:
    """Whether one of `texts` holds what was typed into the filter, ignoring case."""
    return not q or any(q.casefold() in text.casefold() for text in texts)


def access(export: Export) -> str:
    """Who may import an export, in words."""
    if export.account_token_position:
        return f"each account its own key as word {export.account_token_position}"
    return "private: by activation" if export.token_req else "public"


def worst(issues: Sequence[Issue]) -> shown.State:
    """The state of an entry with these findings."""
    if any(issue.grade is Grade.ERROR for issue in issues):
        first = next(issue for issue in issues if issue.grade is Grade.ERROR)
        return shown.State(word="Broken", tone="danger", icon="circle-x", title=sentence(first.message))
    if issues:
        return shown.State(
            word="Warning", tone="warn", icon="triangle-alert", title=sentence(issues[0].message)
        )
    return OK


def said(state: shown.State) -> str:
    """What a list says below a state that is not good."""
    return state.title if state.tone in ("warn", "danger") else ""


def findings(issues: Iterable[Issue]) -> tuple[describing.Finding, ...]:
    """Findings for `identities/shared/findings.html`."""
    return tuple(describing.finding(issue) for issue in issues)


def activation_state(activation: Claims[ActivationBody], exporter: Exporter | None, now: int) -> shown.State:
    """Whether servers take an activation: as far as its exporter is known, and else by its times alone."""
    if exporter is not None:
        kind, subject = activation.nats.kind, activation.nats.subject
        export = rules.export_for(exporter.claims.nats, kind, subject)
        if export is None:
            return shown.State(
                word="Not exported any more",
                tone="muted",
                icon="ban",
                title=f"No export covers {subject} now",
            )
        if rules.is_revoked(export, activation):
            return shown.State(word="Revoked", tone="danger", icon="ban")
        if not rules.is_signed_by(exporter, activation):
            title = f"Signed by {activation.iss}, which is no key of the account any more"
            return shown.State(word="Signing key gone", tone="danger", icon="circle-x", title=title)
    return shown.state(activation.exp, activation.nbf, now)


def account_names(principal: Principal, account: Account) -> tuple[str, ...]:
    """Other accounts under the same operator that the principal may see, for a list of suggestions."""
    rows = Account.objects.visible_to(principal).live().filter(operator=account.operator_id)
    names = rows.exclude(pk=account.pk).order_by("name").values_list("name", flat=True)
    return tuple(names[:MOST_NAMES])


def crumbs(account: Account, route: str, *more: str) -> tuple[shown.Crumb, ...]:
    """Operators / operator / Accounts / account / Exports or Imports / …"""
    label = {"exports": "Exports", "imports": "Imports"}[route]
    here = shown.Crumb(label=label, url=shown.account_url(route, account), noun=True)
    steps = (shown.Crumb(label=one) for one in more)
    return (*shown.account_crumbs(account, ""), here, *steps)


def frame(account: Account, route: str, title: str, step: str, *, back: str) -> dict[str, Any]:
    """The context of a form about an export or import (`route`) of `account`; `back` is where “Cancel” leads."""
    return shown.frame(title=title, nav="operators", crumbs=crumbs(account, route, step), cancel_url=back)
