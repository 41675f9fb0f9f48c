"""The diagram of an operator's accounts: who shares what with whom."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.claims.common import Claims
from identities.formats import diagrams, plantuml
from identities.formats.diagrams import Shared
from identities.lookup import principal_for
from identities.models import Account, Operator
from identities.policy.principal import Principal
from identities.services import changes, clock
from identities.views import guards, htmx, shown

NAV = "operators"
MOST_ROWS = 500
_LISTS = r'"(imports|exports)"\s*:\s*\['
KINDS = {"components": plantuml.components, "objects": plantuml.objects}


@guards.page()
def diagram(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The drawing, and the same in words; `?account=` shows what one account gives and takes."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    wanted = request.GET.get("account", "")[:56]
    accounts = _sharing(principal, operator)
    found = diagrams.shared(accounts, wanted)
    drawing = diagrams.draw(found)
    context = shown.frame(
        title=f"Who shares what under {operator.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Diagram"),
        operator=operator.name,
        drawing=drawing,
        rows=[_row(operator, one) for one in found[:MOST_ROWS]],
        more=max(0, len(found) - MOST_ROWS),
        choices=[(one.sub, one.name) for one in sorted(accounts, key=lambda one: one.name.casefold())],
        account=wanted,
        url=shown.operator_url("operator-diagram", operator),
        downloads=[
            (label, shown.operator_url("operator-diagram-download", operator) + f"?kind={kind}")
            for kind, label in (("components", "Component diagram"), ("objects", "Object diagram"))
        ],
    )
    return htmx.render(request, "identities/operators/diagram.html", context)


@guards.page()
def download(request: HttpRequest, operator_key: str) -> HttpResponse:
    """PlantUML as `nsc generate diagram` prints it: `?kind=components` or `objects`."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    kind = request.GET.get("kind", "components")
    if kind not in KINDS:
        raise lookup.NotFound("There are two diagrams: components and objects.")
    accounts = [changes.claims_of(row) for row in _rows(principal, operator)]
    text = KINDS[kind](changes.claims_of(operator), accounts, now=clock.unix())
    return htmx.download(f"{operator.name}-{kind}.puml", text, "text/plain; charset=utf-8")


def _rows(principal: Principal, operator: Operator) -> Any:
    return Account.objects.visible_to(principal).live().filter(operator=operator, token__isnull=False)


def _sharing(principal: Principal, operator: Operator) -> list[Claims[Any]]:
    """The claims of accounts that export or import; only these are read and decoded."""
    sharing = _rows(principal, operator).filter(claims__regex=_LISTS)
    found = (changes.claims_of(row) for row in sharing)
    return [one for one in found if one.nats.imports or one.nats.exports]


def _row(operator: Operator, one: Shared) -> dict[str, Any]:
    def account(key: str, name: str) -> dict[str, Any]:
        url = reverse("account", args=[operator.public_key, key]) if name else ""
        return {"name": name, "url": url, "key": shown.chip(key)}

    return {
        "exporter": account(one.exporter_key, one.exporter),
        "importer": account(one.importer_key, one.importer),
        "type": one.imported.type,
        "subject": one.imported.subject,
        "local": one.local if one.local != one.imported.subject else "",
        "state": "not offered" if one.export is None else "private" if one.export.token_req else "public",
    }
