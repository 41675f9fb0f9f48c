from __future__ import annotations

import json
from pathlib import Path

import pytest

from identities.claims.activation_hash import activation_hash
from identities.claims.errors import ClaimsError

GOLDEN = Path(__file__).parents[1] / "golden"
VECTORS = json.loads((GOLDEN / "vectors" / "activation-hashid.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["import_subject"])
def test_an_activation_has_the_hash_that_the_go_library_gives_it(vector: dict[str, str]) -> None:
    found = activation_hash(vector["issuer"], vector["subject"], vector["import_subject"])
    assert found == vector["hash_id"]


def test_an_unfinished_activation_has_no_hash() -> None:
    with pytest.raises(ClaimsError):
        activation_hash("A", "", "a")
