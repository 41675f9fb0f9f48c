"""Where an operator asks for four eyes, no service signs for one person alone, but for those with a reason."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Operator, Proposal, User
from identities.policy.principal import Principal
from identities.services import four_eyes, proposals, proposing
from tests import make
from tests.rows import differing, whole
from tests.works import WORKS
from tests.works.sample import WHO, Sample, sample

__all__ = ["sample"]  # the fixture, with one of everything
pytestmark = pytest.mark.django_db

NEW_OPERATOR = {
    "operators.create",
    "adopting.adopt_operator",
    "importing.perform",
}
"""They make an operator, which can't have asked for anything yet."""
SECOND_PERSON = {"proposals.approve"}


@pytest.fixture
def alone(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> Principal:
    """An owner, who does everything that is tried, under operators that all ask for four eyes."""
    owner = make.principal()
    monkeypatch.setitem(WHO, "principal", owner)
    Operator.objects.update(four_eyes="everybody")
    for value in vars(sample).values() if hasattr(sample, "__dict__") else ():
        for row in (value, getattr(value, "operator", None)):
            if isinstance(row, Operator):
                row.refresh_from_db()
        if isinstance(value, Account | User):
            value.operator.refresh_from_db()
    return owner


def signed() -> dict[str, Any]:
    """Every JWT signed here, and everything that is gone. What comes in signed elsewhere had its second person:
    whoever holds the key there.
    """
    return {
        "tokens": set(IssuedToken.objects.exclude(origin="imported").values_list("pk", flat=True)),
        **{
            model.__name__: set(model.objects.exclude(deleted_at=None).values_list("public_key", flat=True))
            for model in (Operator, Account, User)
        },
    }


@pytest.mark.parametrize("name", sorted(set(WORKS) - NEW_OPERATOR - SECOND_PERSON))
def test_no_service_signs_for_one_person_alone(sample: Sample, alone: Principal, name: str) -> None:
    before = signed()
    with suppress(IdentityError):  # proposed or refused: no signature either way
        WORKS[name](sample)
    made = Proposal.objects.exclude(pk=sample.proposal.pk).first()
    assert (made is not None) == (name in {*proposing.COMMANDS, "proposals.again"})
    assert made is None or made.by in (alone.key, sample.author.key)
    if name in four_eyes.EXEMPT:
        assert four_eyes.EXEMPT[name]
        assert signed() != before or name == "clusters.create"
    else:
        assert signed() == before


@pytest.mark.parametrize("name", sorted(set(WORKS) & set(proposing.COMMANDS)))
def test_what_is_proposed_is_carried_out_when_a_second_person_approves_it(
    sample: Sample, alone: Principal, name: str
) -> None:
    second = make.principal()
    before = whole()
    with pytest.raises(proposing.Proposed) as raised:
        WORKS[name](sample)
    made = raised.value.proposal
    tried = whole()
    assert set(differing(before, tried)) <= {"Proposal", "AuditEvent", "AuditTarget", "AuditHead"}
    decided = proposals.approve(principal=second, proposal=made)
    assert (decided.state, decided.note) == ("approved", "")
    changed = set(differing(tried, whole()))
    assert changed - {"Proposal", "AuditEvent", "AuditTarget", "AuditHead"}


def test_every_service_that_can_be_proposed_is_tried() -> None:
    assert set(proposing.COMMANDS) <= set(WORKS)
    assert set(four_eyes.EXEMPT) <= set(WORKS)
    assert not set(proposing.COMMANDS) & set(four_eyes.EXEMPT)
