"""What `bench/pages.py` asks: the pages and the reference page beside them, of all databases in one process.

A router says whose turn it is.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

from pages_users import GROUPS


class Turn:
    """Django's database router: whose turn it is."""

    alias = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return Turn.alias

    db_for_write = db_for_read

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True


def set_up(directory: Path, sizes: list[int]) -> None:
    """Start Django with one database alias a size."""
    import nscweb.settings as product

    settings = types.ModuleType("bench_pages_settings")
    settings.__dict__.update({name: value for name, value in vars(product).items() if name.isupper()})
    first = product.DATABASES["default"]
    databases = {str(size): {**first, "NAME": f"{directory}/{size}.sqlite3"} for size in sizes}
    settings.DATABASES = {"default": databases[str(sizes[0])], **databases}  # type: ignore[attr-defined]
    settings.DATABASE_ROUTERS = [Turn()]  # type: ignore[attr-defined]
    settings.ALLOWED_HOSTS = ["*"]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = "bench_pages_urls"  # type: ignore[attr-defined]
    storages = {
        **product.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.STORAGES = storages  # type: ignore[attr-defined]
    (directory / "static").mkdir(exist_ok=True)
    sys.modules["bench_pages_settings"] = settings
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench_pages_settings"
    import django

    django.setup()
    from django.urls import path

    import nscweb.urls
    from identities.policy import routes
    from identities.policy.actions import Action

    urls = types.ModuleType("bench_pages_urls")
    urls.urlpatterns = [*nscweb.urls.urlpatterns, path("reference", reference, name="reference")]  # type: ignore[attr-defined]
    sys.modules["bench_pages_urls"] = urls
    routes.ROUTES = {**routes.ROUTES, "reference": routes.Route(routes.Access.SESSION, Action.VIEW)}


TABLE = """{% extends "base.html" %}{% block main %}<h1>Reference</h1><table class="table">
<thead><tr><th scope="col">Name</th><th>Key</th><th>Issuer</th><th>Expires</th><th>By</th><th>Version</th></tr></thead>
<tbody>{% for row in rows %}<tr><td><a href="{{ row.0 }}">{{ row.1 }}</a></td><td><code>{{ row.2 }}</code></td>
<td>{{ row.3 }}</td><td>{{ row.4 }}</td><td>{{ row.5 }}</td><td>{{ row.6 }}</td></tr>{% endfor %}</tbody></table>
{% endblock %}"""
_compiled: list[Any] = []


def reference(request: Any) -> Any:
    """The least that a list page of 50 rows can be."""
    from django.http import HttpResponse
    from django.template import engines

    from identities.lookup import principal_for
    from identities.models import User

    principal_for(request)
    if not _compiled:
        _compiled.append(engines["django"].from_string(TABLE))
    found = (
        User.objects.filter(account__name="big")
        .order_by("pk")
        .values_list("public_key", "name", "issuer", "expires", "updated_by", "version")[:50]
    )
    rows = [
        (f"/users/{key}", name, f"{key[:4]}…{key[-4:]}", issuer[:4], str(expires), by, str(version))
        for key, name, issuer, expires, by, version in found
    ]
    context = {"title": "Reference", "nav": "", "crumbs": (), "can": {}, "rows": rows}
    return HttpResponse(_compiled[0].render(context, request))


def signed_in(size: int) -> Any:
    """A client with a session in the database of this size."""
    from django.test import Client

    from identities.models import Person
    from tests import browsers

    browsers.use_secrets()
    Turn.alias = str(size)
    client = Client()
    client.force_login(Person.objects.get())
    return client


def addresses(size: int) -> dict[str, str]:
    """The pages to measure, by name."""
    from identities.models import Account, Operator, User

    Turn.alias = str(size)
    operator = Operator.objects.get()
    big = Account.objects.get(name="big")
    last = User.objects.filter(account=big).order_by("-name")[:51][50]
    team = Account.objects.order_by("-name")[: min(40, Account.objects.count())]
    behind = list(team)[-1]
    user = User.objects.get(account=big, name=f"user-{size // 2 + 1:06}")
    middle = f"user-{size // 2 if size > 1000 else 0:06}"  # where a whole page is still to come
    at = f"/operators/{operator.public_key}/"
    account = f"{at}accounts/{big.public_key}/"
    one = f"{account}users/{user.public_key}/"
    own = f"orders.{(size // 2 + 1) % GROUPS}.{user.name}"
    return {
        "dashboard": "/",
        "operators": "/operators/",
        "accounts, first page": f"{at}accounts/",
        "accounts, last page": f"{at}accounts/?after={behind.name}~{behind.pk}",
        "users, first page": f"{account}users/",
        "users, last page": f"{account}users/?after={last.name}~{last.pk}",
        "users, from the end": f"{account}users/?sort=-name",
        "(list filter, a beginning)": f"{account}users/?q=user-0000",
        "(list filter, a rare part)": f"{account}users/?q={user.name}",
        "(list filter, a part of a key)": f"{account}users/?q={user.public_key[10:20]}",
        "search, name": "/search?q=user-0000",
        "search, one name": f"/search?q={user.name}",
        "search, key": f"/search?q={user.public_key}",
        "search, part of a key": f"/search?q={user.public_key[:6]}…{user.public_key[-4:]}",
        "search, beginning of a subject": "/search?q=orders.1",
        "search, who may publish to all": "/search?q=orders.>&look=publish",
        "search, who may publish to one": f"/search?q=orders.{(size // 2 + 1) % GROUPS}.{user.name}&look=publish",
        "search, who may subscribe": "/search?q=orders.>&look=subscribe",
        "search, by the account's defaults": "/search?q=public.news&look=publish",
        "search, who may: nobody": "/search?q=billing.new&look=publish",
        "search, who may, further": f"/search?q=orders.>&look=publish&after={operator.pk}~{middle}~1",
        "who can, publish": f"{account}who-can?deed=publish&subject=orders.>",
        "who can, publish to one": f"{account}who-can?deed=publish&subject={own}",
        "who can, hear": f"{account}who-can?deed=subscribe&subject=orders.>",
        "who can, nobody": f"{account}who-can?deed=publish&subject=billing.new",
        "who can, answer": f"{account}who-can?deed=answer&subject=orders.>",
        "expirations": "/expirations",
        "expirations, any": "/expirations?within=any",
        "expirations, everything": "/expirations?within=all",
        "expirations, users that never do": "/expirations?within=all&kind=user&after=1~0~2~10",
        "activity": "/activity",
        "operator": at,
        "account": account,
        "user": one,
        "user, history": f"{one}history",
        "installation": "/installation",
    }


def ask(client: Any, size: int, path: str) -> tuple[float, float]:
    """Ask for one page once; CPU and wall seconds."""
    Turn.alias = str(size)
    gc.collect(0)
    wall, cpu = time.perf_counter(), time.thread_time()
    response = client.get(path)
    cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}")
    return cpu, wall


def count(client: Any, size: int, path: str) -> int:
    """How many queries one page takes."""
    from django.db import connections, reset_queries

    Turn.alias = str(size)
    connection = connections[str(size)]
    connection.force_debug_cursor = True
    reset_queries()
    before = len(connection.queries_log)
    client.get(path)
    queries = len(connection.queries_log) - before
    connection.force_debug_cursor = False
    return queries
