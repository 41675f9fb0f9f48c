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
    if any(name.startswith("activation") for name in called):
        return "activation"
    if any("operator" in name for name in called):
        return "operator"
    return "user" if any(name.startswith(("user", "allow")) for name in called) else "account"


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
    assert sorted(missing) == []


@pytest.mark.parametrize("kind", tokens.BODIES)
def test_what_forms_say_they_fill_in_is_there(kind: str) -> None:
    known = {json_path(field, kind) for field in fields.fields_of(kind)}
    known |= {path.rpartition(".")[0] for path in known}
    assert sorted(in_forms(kind) - known) == []


def test_the_lists_hold_fields_with_reasons() -> None:
    everywhere = {field for kind in tokens.BODIES for field in fields.fields_of(kind)}
    assert set(IN_NO_FORM) <= everywhere
    assert all(IN_NO_FORM.values())
