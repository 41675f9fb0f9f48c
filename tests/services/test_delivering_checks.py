"""What a server holds is called older without reading all of it only where that is beyond doubt."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from identities.services.delivering_checks import Ours, is_plainly_older

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
