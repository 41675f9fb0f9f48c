"""Whatever is thrown at the codec, it refuses calmly or reads and signs it again without a loss."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.claims import codec
from identities.claims.bodies import KINDS
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.permissions import Permission, TimeRange, UserPermissionLimits
from identities.claims.user import UserBody
from tests.claims.tokens import ACCOUNT, BODIES, NOW, USER, signed


@given(st.text(max_size=60) | st.text("eyJ0.=-_A\n", max_size=60))
def test_any_text_at_all_raises_nothing_but_claims_errors(text: str) -> None:
    assert codec.peek(text).errors
    for read in (codec.decode, codec.decode_generic, codec.from_payload):
        with pytest.raises(ClaimsError):
            read(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted(
    {key for kind in KINDS.values() for key in KINDS[kind.type].cls.__slots__}
    | {"pub", "sub", "src", "times"}
)
NATS = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8)


@given(
    st.sampled_from(sorted(BODIES)), NATS, st.dictionaries(st.sampled_from(["exp", "name", "x", "nbf"]), JSON)
)
def test_any_json_is_refused_calmly_or_survives_being_signed_again(
    name: str, nats: dict[str, Any], common: dict[str, Any]
) -> None:
    _, signer, subject = BODIES[name]
    if name == "generic":
        return
    tree = {
        **common,
        "iss": signer.public.text,
        "sub": subject.public.text,
        "nats": {**nats, "type": name, "version": 2},
    }
    try:
        token = codec.decode(signed(json.dumps(tree), signer))
    except ClaimsError:
        return
    url = nats.get("account_server_url") if name == "operator" else None
    if isinstance(url, str) and url and "://" not in url:
        with suppress(ClaimsError):  # the Go library reads such an address, and refuses to write it
            codec.encode_checked(token.claims, signer, NOW)
        return
    again = codec.encode_checked(token.claims, signer, NOW)
    was, now = json.loads(token.payload), json.loads(again.payload)
    assert {**was, "iat": NOW, "jti": again.claims.jti} == now
    assert codec.payload_text(codec.from_payload(again.payload)) == again.payload


SUBJECTS = st.lists(st.text("abc.*>é<& ", max_size=8), max_size=4).map(tuple)
LIMITS = st.integers(-1, 2**63 - 1)
PERMISSION = st.builds(Permission, allow=SUBJECTS, deny=SUBJECTS)
USER_LIMITS = st.builds(
    UserPermissionLimits,
    pub=PERMISSION,
    sub=PERMISSION,
    src=SUBJECTS,
    times=st.lists(st.builds(TimeRange, start=st.text(max_size=8), end=st.text(max_size=8)), max_size=3).map(
        tuple
    ),
    subs=LIMITS,
    data=LIMITS,
    payload=LIMITS,
    bearer_token=st.booleans(),
)


@given(st.text(max_size=20), USER_LIMITS, SUBJECTS, st.integers(0, 2**40))
def test_any_user_comes_back_as_it_was_meant(
    name: str, limits: UserPermissionLimits, tags: tuple[str, ...], exp: int
) -> None:
    claims = Claims(name=name, exp=exp, sub=USER.public.text, nats=UserBody(limits=limits, tags=tags))
    token = codec.encode_checked(claims, ACCOUNT, NOW)
    assert codec.decode(token.text).claims == replace(
        claims, iss=ACCOUNT.public.text, iat=NOW, jti=token.claims.jti
    )
