"""What a server holds is called older without reading all of it only where that is beyond doubt."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from identities.models import HoldingState
from identities.queries.known_tokens import Known
from identities.services.delivering_checks import Ours, Theirs, is_plainly_older

OURS = Ours(account="A", name="team", text="ours", jti="", iat=1000, exp=0, digest="")


def text(payload: Any) -> str:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"e30.{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}.e30"


@pytest.mark.parametrize(
    ("there", "older"),
    [
        (text({"iat": 999, "nats": {}, "sub": "A"}), True),
        (text({"iat": 999, "type": "account", "nats": {}}), False),  # of version 1: read in full
        (text({"iat": 1000}), False),
        (text({"iat": 1001}), False),
        (text({"iat": 0}), False),
        (text({}), False),
        (text({"iat": 999, "IAT": 1001}), False),  # Go takes the later of the two, whatever its case
        (text({"iat": True}), False),
        (text({"iat": 999.0}), False),
        (text({"iat": "999"}), False),
        (text([999]), False),
        (text(b"nonsense"), False),
        (text(b"[" * 100_000), False),
        ("no jwt", False),
        ("", False),
    ],
    ids=range(15),
)
def test_only_what_is_plainly_older_is(there: str, older: bool) -> None:
    assert is_plainly_older(there, OURS) is older


@pytest.mark.parametrize(
    ("iat", "jti", "older"),
    [
        (900, "FIRST", True),
        (950, "OURS", True),
        (950, "THEIRS", False),
        (949, "OURS", False),
        (900, "THEIRS", False),
        (899, "THEIRS", True),  # older than all that is known
    ],
)
def test_what_the_ledger_does_not_have_is_not_merely_older(iat: int, jti: str, older: bool) -> None:
    ours = replace(OURS, known=Known(frozenset({(900, "FIRST"), (950, "OURS"), (1000, "NOW")}), 900))
    there = text({"iat": iat, "jti": jti, "sub": "A"})
    assert is_plainly_older(there, ours) is older
    state = Theirs(text=there, digest="", jti=jti, iat=iat).against(ours)
    assert state is (HoldingState.OLDER if older else HoldingState.DIFFERENT)


@pytest.mark.parametrize("jti", [5, None, ["x"]])
def test_an_odd_id_is_read_in_full(jti: Any) -> None:
    assert not is_plainly_older(text({"iat": 999, "jti": jti}), OURS)
