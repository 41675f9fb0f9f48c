"""When the audit event can't be written, nothing of the change is: no row, no token, no secret that leaves."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

from identities import services
from identities.services import audit, secrets
from tests.rows import differing, whole
from tests.works import WORKS, coming_in
from tests.works.sample import Sample, sample

__all__ = ["sample"]  # the fixture, with one of everything

pytestmark = pytest.mark.django_db(transaction=True)


def fail(*args: object, **kwargs: object) -> None:
    raise OSError("the audit can't be written")


@pytest.mark.parametrize("name", sorted(WORKS))
def test_nothing_is_left_of_a_change_without_its_event(
    sample: Sample, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole()
    with monkeypatch.context() as patched:
        patched.setattr(audit, "record_all", fail)
        with pytest.raises(OSError, match="audit"):
            WORKS[name](sample)
    assert not differing(before, whole())
    WORKS[name](sample)
    assert differing(before, whole())


STEPS = {
    "users.rewrite",
    "users.sign",
    "accounts.commit_revocations",
    "resigning_accounts.sign_unaudited",
    "users.create_many",
    "users.commit",
    "users.bury",
    "imports.with_token",
    "accounts.commit",
    "accounts.rewrite",
    "accounts.revoke_unaudited",
    "operators.commit",
    "operators.rewrite",
    "activations.record",
    "import_writing.write",
    "proposing.keep",
}
"""What the services above go through, in their transaction."""
WHOLE = {"backing_up.write", "restoring.restore"}
"""Of a whole installation: `test_backups` tries them."""


def test_every_service_that_writes_an_event_is_tried() -> None:
    modules = [
        importlib.import_module(f"{services.__name__}.{each.name}")
        for each in pkgutil.iter_modules(services.__path__)
    ]
    writing = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        if "audit" in vars(module)
        for name, function in vars(module).items()
        if getattr(function, "__module__", "") == module.__name__
        and not name.startswith("_")
        and callable(function)
        and {
            "record",
            "record_all",
            "_audit",
            "create_many",
            "rewrite",
            "_rewrite",
            "_write",
            "commit",
        }
        & set(getattr(inspect.unwrap(function), "__code__", fail.__code__).co_names)
    }
    assert sorted(writing - set(WORKS) - set(coming_in.WORKS) - STEPS - WHOLE) == []


def test_a_sealed_installation_writes_nothing(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    before = whole()
    monkeypatch.setattr(secrets, "_unseal", lambda: None)
    secrets.forget()
    for name, work in WORKS.items():
        with pytest.raises(secrets.SealedInstallation):
            work(sample)
        assert whole() == before, name
