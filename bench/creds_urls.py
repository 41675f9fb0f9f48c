"""The product's routes, and beside them what `bench/creds.py` compares with: an API view that commits one INSERT.

It stands on the API's own frame: the same door, the same token, the same kind of body and answer, the same database.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.http import HttpRequest

from identities.api.operations import Answer, operation
from identities.api.schemas import Given, Name, Taken
from identities.policy import operations as table
from identities.policy.actions import Action
from identities.policy.routes import ROUTES, Access, Route

INSERT = "INSERT INTO bench_insert (name, at) VALUES (%s, CURRENT_TIMESTAMP)"
table.OPERATIONS["bench-insert"] = Action.VIEW  # type: ignore[index]  # a dict, read alone by everybody else
ROUTES["api-bench"] = Route(Access.TOKEN)  # type: ignore[index]


class NameIn(Taken):
    """What is stored."""

    name: Name


class NameOut(Given):
    """What was stored."""

    name: str


@operation("bench-insert", "POST", "bench", NameOut, tag="Bench", status=201, dry=False)
def insert(request: HttpRequest, body: NameIn) -> Answer:
    """Commit one row"""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT, [body.name])
    return Answer(body=NameOut(name=body.name))


from nscweb.urls import handler400, handler403, handler404, handler429, handler500, urlpatterns  # noqa: E402

__all__ = ["handler400", "handler403", "handler404", "handler429", "handler500", "urlpatterns"]
