"""Keys are read and written as nsc and nkeys do."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from identities.nkeys import KeyKind, KeyPair, NkeyError, PublicKey, is_public, kind_of, looks_like_seed

GOLDEN = Path(__file__).parents[1] / "golden"
VECTORS = json.loads((GOLDEN / "vectors/nkeys.json").read_text())
SPEC = json.loads((GOLDEN / "spec-vectors.json").read_text())["nkeys"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["label"])
def test_a_key_pair_of_go_has_the_same_texts_and_signature(vector: dict[str, str]) -> None:
    pair = KeyPair.from_seed(vector["seed"])
    assert pair.public.kind is KeyKind(vector["type"])
    assert pair.seed().reveal().decode() == vector["seed"]
    assert KeyPair(pair.public.kind, bytes.fromhex(vector["raw_seed_hex"])).public == pair.public
    if (
        pair.public.kind is not KeyKind.CURVE
    ):  # Go's `FromRawSeed` gave these an Ed25519 half, which no X key has
        assert pair.public.text == vector["public"]
        signature = base64.urlsafe_b64decode(vector["sig_b64url"] + "==")
        assert pair.sign(vector["msg"].encode()) == signature
        assert pair.public.verify(vector["msg"].encode(), signature)
        assert not pair.public.verify(vector["msg"].encode() + b"!", signature)


@pytest.mark.parametrize("vector", SPEC, ids=lambda vector: vector["Role"])
def test_the_specification_s_keys_come_out(vector: dict[str, str]) -> None:
    pair = KeyPair.from_seed(vector["Seed"].encode())
    assert pair.public.text == vector["Public"]
    assert kind_of(vector["Public"]) is pair.public.kind
    assert is_public(vector["Public"], pair.public.kind)
    assert looks_like_seed(vector["Seed"])
    assert looks_like_seed(vector["Private"])
    assert not looks_like_seed(vector["Public"])
    with pytest.raises(NkeyError) as caught:
        PublicKey.parse(vector["Seed"])
    assert vector["Seed"] not in str(caught.value)
