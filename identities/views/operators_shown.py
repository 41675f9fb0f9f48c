"""What the pages of operators show, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, QueryDict

from identities.lookup import principal_for
from identities.models import Account, Cluster, Key, Operator, User
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import changes
from identities.views import deliveries_shown, delivery, describing, guards, paging, shown

ACTIONS = (
    Action.OPERATOR_EDIT,
    Action.OPERATOR_DELETE,
    Action.OPERATOR_REISSUE,
    Action.JWT_DOWNLOAD,
    Action.CONFIG_DOWNLOAD,
    Action.ACCOUNT_CREATE,
    Action.PUSH_DOOR_EDIT,
)
SORTS = paging.both_ways(
    name=paging.Sort("name"), changed=paging.Sort("updated_at", "moment", descending=True)
)
COLUMNS = (
    ("Name", "name", ""),
    ("Operator ID", "", ""),
    ("Accounts", "", "num"),
    ("System account", "", ""),
    ("Signing keys", "", ""),
    ("State", "", ""),
    ("Changed", "changed", ""),
)
LATER_SYSTEM_ACCOUNT = (
    "Makes an account (SYS) with its user, and names it in the operator's JWT. Servers take it over with a new "
    "configuration and a restart, not before: a reload does not take over a changed operator."
)
MOST_CHOICES = 200
"""How many accounts a form offers while somebody types a name."""
NAMED = 5
"""How many accounts a confirmation names before it only counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """One operator in the list."""

    name: str
    url: str
    key: shown.Chip
    accounts: str
    system_account: shown.Chip | None
    strict: str
    state: shown.State
    changed: shown.When
    by: str


def table(principal: Principal, query: QueryDict, now: int) -> dict[str, Any]:
    """Page, headings and rows of the list of operators: two queries."""
    below = (
        Account.objects.visible_to(principal)
        .live()
        .filter(operator=OuterRef("pk"))
        .order_by()
        .values("operator")
        .annotate(number=Count("pk"))
        .values("number")
    )
    rows = (
        Operator.objects.visible_to(principal)
        .live()
        .defer("claims")
        .annotate(accounts_below=Coalesce(Subquery(below, output_field=IntegerField()), Value(0)))
    )
    page = paging.page(paging.matching(rows, query.get("q", ""), folded="name_fold"), query, sorts=SORTS)
    return {
        "page": page,
        "headings": paging.headings(query, SORTS, COLUMNS, page.sort),
        "rows": tuple(_row(operator, now) for operator in page.rows),
    }


def _row(operator: Operator, now: int) -> OperatorRow:
    below: int = operator.accounts_below  # type: ignore[attr-defined]  # annotated above
    return OperatorRow(
        name=operator.name,
        url=shown.operator_url("operator", operator),
        key=shown.chip(operator.public_key),
        accounts=f"{below:,}",
        system_account=shown.chip(operator.system_account) if operator.system_account else None,
        strict="required" if operator.strict else "optional",
        state=shown.state(operator.expires, operator.not_before, now),
        changed=shown.moment(operator.updated_at),
        by=operator.updated_by,
    )


def described(operator: Operator, request: HttpRequest, now: int) -> dict[str, Any]:
    """The operator's page: description, findings, counts, and what servers need after a change."""
    principal = principal_for(request)
    names = describing.names_of(principal, operator, operator)
    visible = Account.objects.visible_to(principal).live().filter(operator=operator)
    below = visible.aggregate(accounts=Count("pk"), users=Coalesce(Sum("user_count"), 0))
    return {
        "operator": operator,
        **describing.described(operator, operator, request, now, names=names),
        **shown.operator_tabs(principal, operator, below["accounts"]),
        "state": shown.state(operator.expires, operator.not_before, now),
        "changed": shown.moment(operator.updated_at),
        "account_count": f"{below['accounts']:,}",
        "user_count": f"{below['users']:,}",
        "by": operator.updated_by,
        "deliveries": deliveries_shown.counted(principal, operator),
        "has_system_account": bool(operator.system_account),
        "settings": settings(operator, principal, names),
        "just_changed": request.GET.get("changed") == "1",
        "ways": delivery.of_operator(principal, operator),
        "urls": {
            name: shown.operator_url(route, operator)
            for name, route in (
                ("detail", "operator"),
                ("accounts", "accounts"),
                ("edit", "operator-edit"),
                ("delete", "operator-delete"),
                ("system_account", "operator-system-account"),
                ("jwt", "operator-jwt"),
                ("store", "operator-store"),
                ("manifest", "operator-manifest"),
                ("config", "operator-config"),
                ("history", "operator-history"),
                ("reissue", "operator-reissue"),
                ("sign_anew", "operator-sign-anew"),
                ("pushes", "operator-pushes"),
                ("diagram", "operator-diagram"),
                ("new_account", "account-create"),
            )
        },
    }


def settings(operator: Operator, principal: Principal, names: shown.Names) -> tuple[shown.Setting, ...]:
    """What of an operator has a dialog of its own, or is easily missed when it is not set; `names` of its keys."""
    body = changes.claims_of(operator).nats
    key, version = body.system_account, body.assert_server_version
    name = names(key)
    scope = Scope(operator=operator.pk)
    may_edit = guards.may(principal, Action.OPERATOR_EDIT, scope)
    keys = shown.plural(len(body.signing_keys), "signing key")
    return (
        shown.Setting(
            title="System account",
            lines=(f"{name} ({shown.short(key)})" if name else key,) if key else (),
            note="Servers publish no events, and account JWTs can't be pushed to them.",
            edit_url=shown.operator_url("operator-system-account-choose", operator),
            may_edit=may_edit,
        ),
        shown.Setting(
            title="Asserted server version",
            lines=(f"{version} or later",) if version else (),
            note="Any nats-server may run with this operator.",
            edit_url=shown.operator_url("operator-edit", operator),
            may_edit=may_edit,
        ),
        shown.Setting(
            title="Signing keys",
            lines=(f"{keys}, {'required' if body.strict_signing_key_usage else 'not required'}",)
            if body.signing_keys
            else (),
            note="Accounts are signed by the identity key.",
            edit_url=shown.operator_url("operator-key-create", operator),
            may_edit=False,
        ),
    )


def account_names(operator: Operator) -> tuple[str, ...]:
    """Names of accounts that a form offers."""
    rows = Account.objects.live().filter(operator=operator).order_by("name")
    return tuple(rows.values_list("name", flat=True)[:MOST_CHOICES])


def what_goes(operator: Operator) -> dict[str, Any]:
    """What a deletion takes with it, in words, for `components/confirm.html`."""
    accounts = Account.objects.live().filter(operator=operator)
    number = accounts.count()
    names = list(accounts.order_by("name").values_list("name", flat=True)[:NAMED])
    named = ", ".join(f"“{name}”" for name in names) + (", …" if number > NAMED else "")
    users = User.objects.live().filter(operator=operator).count()
    keys = Key.objects.filter(operator=operator, deleted_at=None, sealed__isnull=False).count()
    lines = []
    if number:
        lines.append(f"{shown.plural(number, 'account')}: {named}")
    if users:
        lines.append(f"{shown.plural(users, 'user')}, whose creds can't be downloaded any more")
    clusters = Cluster.objects.live().filter(operator=operator).count()
    if clusters:
        lines.append(
            f"{shown.plural(clusters, 'cluster')}, whose servers are not asked or delivered to any more"
        )
    lines.append(f"{shown.plural(keys, 'sealed seed')}, so nothing can be signed any more")
    return {
        "name": operator.name,
        "submit": "Delete operator",
        "intro": "Servers go on trusting this operator until their own configuration changes. With it go:",
        "consequences": tuple(lines),
    }
