"""The configuration of nats-servers for an operator."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.errors import IdentityError
from identities.formats import helm_values
from identities.forms.configs import ConfigForm
from identities.lookup import principal_for
from identities.models import Account, Operator
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import configs, installation, reissuing_operators
from identities.views import guards, htmx, shown

MOST_ACCOUNTS = 200


@guards.page()
def config(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Choose the options, see the file, learn how to start a server with it."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.CONFIG_DOWNLOAD, Scope(operator=operator.pk))
    form = _form(request, operator)
    written = _written(principal, operator, form)
    query = request.GET.urlencode()
    context = shown.frame(
        title="Server configuration",
        nav="operators",
        crumbs=shown.operator_crumbs(operator, "Server configuration"),
        operator_name=operator.name,
        form=form,
        written=written,
        cut=written is not None and len(written.preview) < len(written.text),
        file_name=configs.FILE_NAME,
        url=reverse("operator-config", args=[operator.public_key]),
        download_url=f"{reverse('operator-config-download', args=[operator.public_key])}?{query}",
        helm_url=f"{reverse('operator-config-helm', args=[operator.public_key])}?{query}",
        helm_name=helm_values.FILE_NAME,
        rollover=bool(form.earlier),
        both_url=f"{reverse('operator-config', args=[operator.public_key])}?{_both(request, form)}",
        loopback=installation.is_loopback() and form.resolver_kind == "url",
    )
    return htmx.render(
        request, "identities/configs/index.html", context, status=form.status if request.GET else 200
    )


@guards.page()
def download(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The file itself; options that contradict each other lead back to the page that says so."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    form = _form(request, operator)
    written = _written(principal, operator, form)
    if written is None:
        return config(request, operator_key=operator_key)
    return htmx.download(configs.FILE_NAME, written.text, "text/plain; charset=utf-8")


@guards.page()
def helm(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The same options as values for the official Helm chart."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    written = _written(principal, operator, _form(request, operator))
    if written is None:
        return config(request, operator_key=operator_key)
    return htmx.download(helm_values.FILE_NAME, written.helm_values, "application/yaml")


def _form(request: HttpRequest, operator: Operator) -> ConfigForm:
    """The form with the operator's own system account first among those to choose from."""
    rows = Account.objects.live().filter(operator=operator).order_by("name").values_list("public_key", "name")
    accounts = list(rows[:MOST_ACCOUNTS])
    own = operator.system_account
    if own and own not in dict(accounts):
        accounts += (
            Account.objects.live().filter(operator=operator, public_key=own).values_list("public_key", "name")
        )
    accounts.sort(key=lambda row: row[0] != own)
    return ConfigForm(
        request.GET,
        accounts=accounts,
        own_url=installation.account_server_url(operator),
        system_account=own,
        earlier=[
            (token.subject, f"the new key and {shown.short(token.subject)}, of {shown.unix(token.iat).text}")
            for token in reissuing_operators.earlier(operator)
        ],
    )


def _both(request: HttpRequest, form: ConfigForm) -> str:
    """The query of the same file with the last key before trusted besides."""
    query = request.GET.copy()
    if form.earlier:
        query["also_trusted"] = form.earlier[0][0]
    return query.urlencode()


def _written(principal: Principal, operator: Operator, form: ConfigForm) -> configs.Written | None:
    if not form.is_valid():
        return None
    try:
        return configs.write(
            principal=principal,
            operator=operator,
            wanted=form.to_config(),
            preload_all=form.preload_all,
            earlier_key=form.earlier_key,
        )
    except IdentityError as refused:
        form.place_error(refused)
        return None
