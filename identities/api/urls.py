"""The routes of the API, each behind its door."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import URLPattern, path

from identities.api import (
    account_parts,
    accounts,
    activation_requests,
    activations,
    audit,
    clusters,
    exports,
    imports,
    manifests,
    mappings,
    observing,
    operators,
    proposals,
    revocations,
    short_lived,
    signing_keys,
    user_doors,
    users,
    workload,
)
from identities.api.document import openapi
from identities.api.door import guarded
from identities.api.operations import DECLARED, Operation, api

NOUNS = (
    operators,
    accounts,
    account_parts,
    signing_keys,
    users,
    user_doors,
    short_lived,
    exports,
    imports,
    activations,
    activation_requests,
    mappings,
    revocations,
    clusters,
    proposals,
    manifests,
    observing,
    audit,
)
"""Every module that declares operations, in the order of the documentation."""

OPERATIONS: Mapping[str, Operation] = DECLARED
"""Every operation by its id: who reads them here has all of them declared."""


def routes() -> list[URLPattern]:
    """The routes, to stand under `/api/v1/`."""
    found = {
        str(one.pattern): path(str(one.pattern), guarded(one.callback), name=one.name)
        for one in api.urls[0]
        if isinstance(one, URLPattern) and one.name != "api-root"
    }  # ninja gives a path once for each of its methods, with one view for all of them
    exchange = path(workload.PATH, workload.creds, name="api-workload-creds")
    return [*found.values(), exchange, path("openapi.json", openapi, name="openapi")]
