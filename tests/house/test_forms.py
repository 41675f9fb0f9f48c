"""Everything that an operator's, account's or user's JWT can say stands in a form, or on a list with the reason."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

from identities import forms
from identities.forms.base import BaseForm
from tests.fidelity import fields, tokens

IN_NO_FORM = {
    "aud": "NATS looks at no audience of these JWTs; one that is there stays",
    "nats.imports[].to": "deprecated; shown and kept, and given up for a local subject",
    **dict.fromkeys(
        (
            "nats.limits.times[].start",
            "nats.limits.times[].end",
            "nats.signing_keys[].template.times[].start",
            "nats.signing_keys[].template.times[].end",
        ),
        "both ends are typed in one line of `times`",
    ),
    **fields.NOT_EDITED,
}
"""Field → why nobody fills it in."""

NOT_YET: dict[str, set[str]] = {
    "operator": {
        "nats.assert_server_version",
        "nats.signing_keys",
        "nats.system_account",
    },
    "account": {
        "nats.authorization.allowed_accounts",
        "nats.authorization.auth_users",
        "nats.authorization.xkey",
        "nats.cluster_traffic",
        "nats.default_permissions.pub.allow",
        "nats.default_permissions.pub.deny",
        "nats.default_permissions.resp",
        "nats.default_permissions.resp.max",
        "nats.default_permissions.resp.ttl",
        "nats.default_permissions.sub.allow",
        "nats.default_permissions.sub.deny",
        "nats.exports[].account_token_position",
        "nats.exports[].advertise",
        "nats.exports[].allow_trace",
        "nats.exports[].description",
        "nats.exports[].info_url",
        "nats.exports[].name",
        "nats.exports[].response_threshold",
        "nats.exports[].response_type",
        "nats.exports[].revocations",
        "nats.exports[].service_latency",
        "nats.exports[].service_latency.results",
        "nats.exports[].service_latency.sampling",
        "nats.exports[].subject",
        "nats.exports[].token_req",
        "nats.exports[].type",
        "nats.imports[].account",
        "nats.imports[].allow_trace",
        "nats.imports[].local_subject",
        "nats.imports[].name",
        "nats.imports[].share",
        "nats.imports[].subject",
        "nats.imports[].token",
        "nats.imports[].type",
        "nats.mappings",
        "nats.mappings{}[].cluster",
        "nats.mappings{}[].subject",
        "nats.mappings{}[].weight",
        "nats.revocations",
        "nats.signing_keys",
        "nats.signing_keys[].description",
        "nats.signing_keys[].key",
        "nats.signing_keys[].role",
        "nats.signing_keys[].template.allowed_connection_types",
        "nats.signing_keys[].template.bearer_token",
        "nats.signing_keys[].template.data",
        "nats.signing_keys[].template.payload",
        "nats.signing_keys[].template.proxy_required",
        "nats.signing_keys[].template.pub.allow",
        "nats.signing_keys[].template.pub.deny",
        "nats.signing_keys[].template.resp",
        "nats.signing_keys[].template.resp.max",
        "nats.signing_keys[].template.resp.ttl",
        "nats.signing_keys[].template.src",
        "nats.signing_keys[].template.sub.allow",
        "nats.signing_keys[].template.sub.deny",
        "nats.signing_keys[].template.subs",
        "nats.signing_keys[].template.times",
        "nats.signing_keys[].template.times_location",
        "nats.trace",
        "nats.trace.dest",
        "nats.trace.sampling",
    },
    "user": set(),
}
"""Fields whose form is still to come, by kind; one that has a form by now must leave this list."""

_MARKS = re.compile(r"\[\]|\{\}")


def every_form() -> list[type[BaseForm]]:
    for module in pkgutil.iter_modules(forms.__path__):
        importlib.import_module(f"{forms.__name__}.{module.name}")

    def below(cls: type[BaseForm]) -> Iterator[type[BaseForm]]:
        for form in cls.__subclasses__():
            yield form
            yield from below(form)

    return list(dict.fromkeys(below(BaseForm)))


def kind_of(form: type[BaseForm]) -> str:
    """What the claims are of that a form edits, by what its module or itself is called; others are accounts'."""
    called = (form.__module__.rpartition(".")[2], form.__name__.lower())
    if any("operator" in name for name in called):
        return "operator"
    return "user" if any(name.startswith("user") for name in called) else "account"


def in_forms(kind: str) -> set[str]:
    """The JSON paths that the forms of this kind fill in."""
    return {path for form in every_form() if kind_of(form) == kind for path in form.paths}


def json_path(field: str, kind: str) -> str:
    """As forms name it: without the places of entries, and a user's limits stand in the body itself."""
    path = _MARKS.sub("", field)
    return path.replace("nats.limits.", "nats.", 1) if kind == "user" else path


def is_covered(field: str, kind: str) -> bool:
    """In a form by itself, or, for a list or object, by what stands in its entries."""
    path = json_path(field, kind)
    return any(known == path or known.startswith(f"{path}.") for known in in_forms(kind))


@pytest.mark.parametrize("kind", tokens.BODIES)
def test_every_field_of_the_claims_is_in_a_form(kind: str) -> None:
    missing = {
        field for field in fields.fields_of(kind) if field not in IN_NO_FORM and not is_covered(field, kind)
    }
    assert sorted(missing - NOT_YET[kind]) == []
    assert sorted(NOT_YET[kind] - missing) == [], "these have a form by now: take them off NOT_YET"


@pytest.mark.parametrize("kind", tokens.BODIES)
def test_what_forms_say_they_fill_in_is_there(kind: str) -> None:
    known = {json_path(field, kind) for field in fields.fields_of(kind)}
    known |= {path.rpartition(".")[0] for path in known}
    assert sorted(in_forms(kind) - known) == []


def test_the_lists_hold_fields_with_reasons() -> None:
    everywhere = {field for kind in tokens.BODIES for field in fields.fields_of(kind)}
    assert set(IN_NO_FORM) <= everywhere
    assert all(IN_NO_FORM.values())
    for kind, names in NOT_YET.items():
        assert names <= set(fields.fields_of(kind))
