"""When the audit event can't be written, nobody comes in, is invited or trusted."""

from __future__ import annotations

import pytest

from identities.models import Person
from identities.services import audit, secrets
from tests.rows import differing, whole
from tests.services.test_all_or_nothing import fail
from tests.works.coming_in import WORKS, Sample, sample

__all__ = ["sample"]  # the fixture
pytestmark = pytest.mark.django_db


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


def test_a_sealed_installation_lets_nobody_in(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    before = whole()
    monkeypatch.setattr(secrets, "_unseal", lambda: None)
    secrets.forget()
    for name, work in WORKS.items():
        with pytest.raises(secrets.SealedInstallation):
            work(sample)
        assert whole() == before, name
    assert Person.objects.count() == 1
