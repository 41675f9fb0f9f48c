"""How long pages take at 100, 4,000 and 40,000 users, beside a 50-row reference page in the same run.

    python bench/pages.py [--sizes 100,4000,40000] [--rounds 15] [--pages users]

Each size is a database of its own, filled by raw bulk rows; all are open at once and take turns, so that they meet the
same load. The reference page is the least that a signed-in list page of 50 rows can be: session, person and grants,
one query, strings in a table in the page's frame. Time is the CPU time of the request (the database runs in the same
thread), the median of the rounds. Bounds, for each page: at most 8 queries; at most twice the reference page (three
times for “Who can …”); at the
largest size at most 1.3 times the smallest. The exit status says whether they hold. Names in brackets are told, not
bound: the filter above a list looks inside every name of the account.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MOST_QUERIES = 8
OF_REFERENCE = 2.0
OF_SMALLEST = 1.3
WHO_CAN_OF_REFERENCE = 3.0
"""“Who can …” has two answers on one page: from which accounts, and which users."""
GROUPS = 50
HOUR = 3600


def main() -> int:
    """Seed, measure, print; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100,4000,40000")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pages", default="", help="only pages whose name holds this")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("NSCWEB_LOG_LEVEL", "ERROR")
    if asked.seed:
        return seed(asked.seed)
    sizes = [int(size) for size in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="nscweb-bench-") as directory:
        return measure(Path(directory), sizes, asked.rounds, asked.pages)


# --- seeding: in a process for each size, with that database as the only one


def seed(users: int) -> int:
    """Fill the database of this process: one account with all users, and more accounts without, at least 60."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "nscweb.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from identities.claims.account import AccountBody
    from identities.claims.drafts import AccountDraft, OperatorDraft
    from identities.claims.permissions import Permission as Allowed
    from identities.claims.permissions import Permissions
    from identities.models import Account
    from identities.policy.principal import Principal, Role
    from identities.services import accounts, operators, people, secrets

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    secrets.initialise()
    principal = Principal.command("bench")
    operator = operators.create(principal=principal, draft=OperatorDraft(name="Bench"))
    for number in range(max(60, users // 100)):
        accounts.create(principal=principal, operator=operator, draft=AccountDraft(name=f"team-{number:05}"))
    news = Allowed(allow=("public.>",))
    body = AccountBody(default_permissions=Permissions(pub=news, sub=news))
    with transaction.atomic():
        big = accounts.create_unaudited(
            principal=principal, operator=operator, draft=AccountDraft(name="big"), body=body
        )
    people.add_person(username="bench", password="correct horse battery staple", role=Role.ADMINISTRATOR)
    insert(operator, big, users)
    Account.objects.filter(pk=big.pk).update(user_count=users)
    return 0


def insert(operator: Any, account: Any, users: int) -> None:
    """Users, keys, tokens and permissions by raw rows; the JWTs are as long as real ones, but nobody signed them."""
    from django.db import transaction

    from identities.models import IssuedToken, Key, Permission, SubjectPattern, User
    from identities.services import bulk, clock

    now = clock.unix()
    moment = bulk.moment(clock.now())
    chance = random.Random(7)
    made = [Made.number(number, now, chance) for number in range(users)]
    # Keys and rows come in no order that the names have.
    chance.shuffle(made)
    texts = list(dict.fromkeys(text for one in made for *_, text in one.rules))
    with transaction.atomic():
        tokens = bulk.Table(IssuedToken, *TOKEN).insert(
            [
                (operator.pk, "user", one.key, one.name, account.public_key, one.jti, now, one.expires)
                + (one.jwt, None, "signed", None, "command:bench", "bench", "Created user", moment)
                for one in made
            ]
        )
        rows = bulk.Table(User, *USER).insert(
            [
                (
                    one.key,
                    one.name,
                    one.claims(account, now),
                    token,
                    account.public_key,
                    now,
                    one.expires,
                    0,
                    1,
                )
                + (moment, moment, "bench", None, operator.pk, account.pk, True, False, one.mode, one.mode)
                + (None, 0)
                for one, token in zip(made, tokens, strict=True)
            ]
        )
        bulk.Table(Key, *KEY).insert(
            [
                (operator.pk, account.pk, row, one.key, "user", "identity", "", b"sealed", moment, None)
                for one, row in zip(made, rows, strict=True)
            ]
        )
        patterns = dict(
            zip(
                texts,
                bulk.Table(SubjectPattern, "text", "first_token").insert(
                    [(text, text.partition(".")[0]) for text in texts]
                ),
                strict=True,
            )
        )
        bulk.Table(Permission, *PERMISSION).insert(
            [
                (operator.pk, account.pk, row, None, direction, "allow", patterns[text], "")
                for one, row in zip(made, rows, strict=True)
                for direction, text in one.rules
            ]
        )


TOKEN = (
    *("operator_id", "kind", "subject", "name", "issuer", "jti", "iat", "exp"),
    *("text", "sealed", "origin", "replaces_id", "by", "by_name", "reason", "created_at"),
)
USER = (
    *("public_key", "name", "claims", "token_id", "issuer", "last_iat", "expires", "not_before", "version"),
    *(
        "created_at",
        "updated_at",
        "updated_by",
        "deleted_at",
        "operator_id",
        "account_id",
        "has_seed",
        "bearer",
    ),
    *("pub_mode", "sub_mode", "suspended_at", "revoked_before"),
)
KEY = (
    *("operator_id", "account_id", "user_id", "public_key", "kind", "purpose", "role", "sealed"),
    *("created_at", "deleted_at"),
)
PERMISSION = (
    *("operator_id", "account_id", "user_id", "key_id", "direction", "effect", "pattern_id", "queue"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """One user to insert. Every second has no rules of its own, every second expires some day."""

    name: str
    key: str
    jti: str
    expires: int
    mode: str
    rules: tuple[tuple[str, str], ...]

    @classmethod
    def number(cls, number: int, now: int, chance: random.Random) -> Made:
        from identities.nkeys import KeyKind
        from identities.nkeys.encoding import encode_public

        name = f"user-{number:06}"
        ruled = number % 2 != 0
        return cls(
            name=name,
            key=encode_public(KeyKind.USER, chance.randbytes(32)),
            jti="".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=52)),
            expires=now + (number % 4000) * HOUR - 40 * HOUR if number % 4 < 2 else 0,
            mode="rules" if ruled else "default",
            rules=(
                ("pub", f"orders.{number % GROUPS}.{name}"),
                ("pub", "_INBOX.>"),
                ("sub", f"orders.{number % GROUPS}.>"),
                ("sub", f"_INBOX.{name}.>"),
            )
            if ruled
            else (),
        )

    @property
    def jwt(self) -> str:
        return f"eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.{self.jti * 10}.{self.jti * 2}"

    def claims(self, account: Any, now: int) -> str:
        def lists(direction: str) -> str:
            allowed = ",".join(f'"{text}"' for where, text in self.rules if where == direction)
            return f'{{"allow":[{allowed}]}}' if allowed else "{}"

        times = f'"exp":{self.expires},' if self.expires else ""
        return (
            f'{{{times}"jti":"{self.jti}","iat":{now},"iss":"{account.public_key}","name":"{self.name}",'
            f'"sub":"{self.key}","nats":{{"pub":{lists("pub")},"sub":{lists("sub")},"subs":-1,"data":-1,'
            f'"payload":-1,"type":"user","version":2}}}}'
        )


# --- measuring: all databases open at once, a router says which one is asked


@dataclass(slots=True)
class Times:
    """What one page took at one size: CPU and wall seconds, those of the reference page beside it, queries."""

    beside: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    queries: int = 0


class Turn:
    """Django's database router: whose turn it is."""

    alias = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return Turn.alias

    db_for_write = db_for_read

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True


def measure(directory: Path, sizes: list[int], rounds: int, only: str) -> int:
    """Seed a database for each size, measure all pages on them in turns, and print what came out."""
    environ = dict(os.environ, NSCWEB_MASTER_KEY="bench:" + "YmVuY2gtb25seS1iZW5jaC1vbmx5LWJlbmNoLW9ubHk=")
    for size in sizes:
        environ["NSCWEB_DATA_DIR"] = str(directory)
        environ["DATABASE_URL"] = f"sqlite:///{directory}/{size}.sqlite3"
        started = time.perf_counter()
        subprocess.run([sys.executable, __file__, "--seed", str(size)], env=environ, check=True, cwd=ROOT)
        print(f"seeded {size:,} users in {time.perf_counter() - started:.1f} s", flush=True)
    os.environ.update(environ)
    set_up(directory, sizes)
    clients = {size: signed_in(size) for size in sizes}
    pages = {size: {"reference": "/reference", **addresses(size)} for size in sizes}
    names = [name for name in pages[sizes[0]] if only in name or name == "reference"]
    times = {(name, size): Times() for name in names for size in sizes}
    for number in range(rounds + 2):
        for name in names:
            for size in sizes:
                # Each beside a reference page of the same moment: the machine's load changes within a round.
                beside = ask(clients[size], size, "/reference")
                cpu, wall = ask(clients[size], size, pages[size][name])
                kept = times[name, size]
                if number >= 2:  # the first rounds fill caches
                    kept.beside.append(beside[0])
                    kept.cpu.append(cpu)
                    kept.wall.append(wall)
                else:
                    kept.queries = count(clients[size], size, pages[size][name])
    return report(names, sizes, times)


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
        "(who can, answer)": f"{account}who-can?deed=answer&subject=orders.>",
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


def report(names: list[str], sizes: list[int], times: dict[tuple[str, int], Times]) -> int:
    """Print the table; 1 when a bound is broken."""

    def cpu(name: str, size: int) -> float:
        return statistics.median(times[name, size].cpu) * 1000

    def paired(ours: list[float], theirs: list[float]) -> float:
        return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))

    small, large = sizes[0], sizes[-1]
    heads = "".join(f"{size:>9,}" for size in sizes)
    print(f"\n{'CPU ms, median':34}{heads}   of reference   {large:,} of {small:,}   queries   p95 wall ms")
    broken = 0
    for name in names:
        figures = "".join(f"{cpu(name, size):9.2f}" for size in sizes)
        of_reference = max(paired(times[name, size].cpu, times[name, size].beside) for size in sizes)
        of_small = paired(times[name, large].cpu, times[name, small].cpu)
        queries = max(times[name, size].queries for size in sizes)
        walls = sorted(wall for size in sizes for wall in times[name, size].wall)
        p95 = walls[int(len(walls) * 0.95)] * 1000
        bad = [
            word
            for word, breaks in (
                (
                    "reference",
                    of_reference > (WHO_CAN_OF_REFERENCE if name.startswith("who can") else OF_REFERENCE),
                ),
                ("size", of_small > OF_SMALLEST),
                ("queries", queries > MOST_QUERIES),
            )
            if breaks and name != "reference" and not name.startswith("(")
        ]
        broken += bool(bad)
        said = f"   BROKEN: {', '.join(bad)}" if bad else ""
        print(f"{name:34}{figures}{of_reference:15.2f}{of_small:18.2f}{queries:10}{p95:14.1f}{said}")
    print(
        f"\nBounds: {MOST_QUERIES} queries, {OF_REFERENCE} x the reference page, {OF_SMALLEST} x from {small:,} to "
        f"{large:,} users: {'all held' if not broken else f'{broken} pages broke one'}."
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
