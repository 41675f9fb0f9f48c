"""Nothing but a whole, undamaged key of the right kind is taken; nothing secret is ever repeated."""

from __future__ import annotations

import base64
import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.nkeys import (
    KeyKind,
    KeyPair,
    NkeyError,
    PublicKey,
    SecretBytes,
    is_public,
    kind_of,
    looks_like_seed,
)

RAW = st.binary(min_size=32, max_size=32)
KINDS = st.sampled_from(KeyKind)
SIGNING_KINDS = st.sampled_from([kind for kind in KeyKind if kind is not KeyKind.CURVE])
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@given(KINDS, RAW)
def test_seed_and_public_key_come_back_as_they_went(kind: KeyKind, raw: bytes) -> None:
    pair = KeyPair(kind, raw)
    again = KeyPair.from_seed(pair.seed())
    assert again.public == pair.public
    assert again.seed() == pair.seed()
    assert PublicKey.parse(pair.public.text, kind).raw == pair.public.raw
    assert [other for other in KeyKind if is_public(pair.public.text, other)] == [kind]
    assert pair.public.text[0] == {"server": "N", "curve": "X"}.get(kind, kind[0].upper())
    assert pair.seed().reveal()[:2].decode() == "S" + pair.public.text[0]


@given(SIGNING_KINDS, RAW, st.binary(max_size=200))
def test_what_a_key_signs_it_verifies_and_nothing_else(kind: KeyKind, raw: bytes, data: bytes) -> None:
    pair = KeyPair(kind, raw)
    signature = pair.sign(data)
    assert len(signature) == 64
    assert pair.public.verify(data, signature)
    assert not pair.public.verify(data + b"x", signature)
    assert not pair.public.verify(data, signature[:-1])
    assert not pair.public.verify(data, signature[:-1] + bytes((signature[-1] ^ 1,)))


@given(RAW, st.integers(0, 55), st.sampled_from(BASE32))
def test_one_changed_character_is_noticed(raw: bytes, place: int, letter: str) -> None:
    text = KeyPair(KeyKind.USER, raw).public.text
    changed = text[:place] + letter + text[place + 1 :]
    assert kind_of(changed) is (KeyKind.USER if changed == text else None)


@given(RAW, st.integers(0, 57), st.sampled_from(BASE32))
def test_one_changed_character_of_a_seed_is_noticed_and_not_repeated(
    raw: bytes, place: int, letter: str
) -> None:
    seed = KeyPair(KeyKind.ACCOUNT, raw).seed().reveal().decode()
    changed = seed[:place] + letter + seed[place + 1 :]
    if changed != seed:
        with pytest.raises(NkeyError) as caught:
            KeyPair.from_seed(changed)
        assert changed[:12] not in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_refused_calmly(text: str) -> None:
    assert kind_of(text) is None
    with pytest.raises(NkeyError):
        PublicKey.parse(text)
    with pytest.raises(NkeyError):
        KeyPair.from_seed(text)


KEY = KeyPair(KeyKind.USER, b"\3" * 32)


@pytest.mark.parametrize(
    "text",
    [
        KEY.public.text.lower(),
        KEY.public.text + "\n",
        KEY.public.text[:30] + "\n" + KEY.public.text[31:],
        " " + KEY.public.text,
        KEY.public.text + "=",
        KEY.public.text[:-1],
        KEY.public.text[:-1] + "ſ",
        "",
    ],
)
def test_a_public_key_with_anything_around_or_inside_is_refused(text: str) -> None:
    assert kind_of(text) is None


def test_a_seed_with_unused_bits_set_is_refused() -> None:
    seed = KEY.seed().reveal().decode()
    assert seed[-1] in "AEIMQUY4"
    with pytest.raises(NkeyError):
        KeyPair.from_seed(seed[:-1] + BASE32[BASE32.index(seed[-1]) + 1])


@pytest.mark.parametrize("around", ["{}", "{}\n", "my seed: {}", "'{}'", "{}A"])
def test_a_seed_given_as_public_key_is_called_a_seed_and_not_repeated(around: str) -> None:
    seed = KEY.seed().reveal().decode()
    for text in (around.format(seed), around.format(seed.lower()), around.format(seed[:-9])):
        assert looks_like_seed(text)
        with pytest.raises(NkeyError, match="seed, which is secret") as caught:
            PublicKey.parse(text, KeyKind.USER)
        assert seed[:10] not in str(caught.value).upper()


@pytest.mark.parametrize("kind", [KeyKind.ACCOUNT, KeyKind.USER, KeyKind.OPERATOR])
def test_a_seed_broken_over_lines_or_in_base64_is_called_a_seed(kind: KeyKind) -> None:
    seed = KeyPair.create(kind).seed().reveal()
    plain = seed.decode()
    standard, safe = base64.b64encode(seed).decode(), base64.urlsafe_b64encode(seed + b"\n").decode()
    for text in (
        "\n".join((plain[:20], plain[20:40], plain[40:])),
        f"{plain[:30]}\r\n  {plain[30:]}".lower(),
        " ".join(plain),
        standard,
        safe.rstrip("="),
        f"{standard[:40]}\n{standard[40:]}",
        f"the key: {standard}",
        base64.encodebytes(b"-----BEGIN USER NKEY SEED-----\n" + seed + b"\n------END").decode(),
    ):
        assert looks_like_seed(text), text.replace(plain, "…")
        with pytest.raises(NkeyError, match="seed, which is secret") as caught:
            PublicKey.parse(text, KeyKind.USER)
        assert plain[:10] not in str(caught.value).upper()


def test_prose_jwts_and_public_keys_are_no_seeds() -> None:
    public = KeyPair.create(KeyKind.ACCOUNT).public.text
    for text in (
        "SUPPORT TEAM OF THE ORDERS SERVICE IN FRANKFURT AND BERLIN, SAME AS BEFORE IN SOUTHERN GERMANY",
        "\n".join((public[:20], public[20:])),
        base64.b64encode(public.encode()).decode(),
        base64.b64encode(b"{" + b"x" * 200 + b"}").decode(),
        "A" * 5000 + "=" * 3,
    ):
        assert not looks_like_seed(text)


def test_even_a_short_piece_of_a_seed_is_not_repeated() -> None:
    with pytest.raises(NkeyError) as caught:
        PublicKey.parse(KEY.seed().reveal().decode()[:25])
    assert KEY.seed().reveal().decode()[:10] not in str(caught.value)


def test_a_key_of_another_kind_is_named() -> None:
    with pytest.raises(NkeyError, match="of kind user, not account or operator"):
        PublicKey.parse(KEY.public.text, KeyKind.ACCOUNT, KeyKind.OPERATOR)


def test_created_keys_differ_and_print_only_their_public_half() -> None:
    one, other = KeyPair.create(KeyKind.ACCOUNT), KeyPair.create(KeyKind.ACCOUNT)
    assert one.public != other.public
    assert repr(one) == f"KeyPair({one.public})"
    with pytest.raises(TypeError):
        pickle.dumps(one)


@given(RAW, RAW, st.binary(max_size=300))
def test_what_a_curve_key_seals_only_the_recipient_opens(mine: bytes, theirs: bytes, plain: bytes) -> None:
    sender, recipient = KeyPair(KeyKind.CURVE, mine), KeyPair(KeyKind.CURVE, theirs)
    sealed = sender.seal(plain, recipient.public)
    assert sealed.startswith(b"xkv1")
    assert recipient.open(sealed, sender.public) == plain
    with pytest.raises(NkeyError):
        recipient.open(sealed[:-1] + bytes((sealed[-1] ^ 1,)), sender.public)
    with pytest.raises(NkeyError):
        recipient.open(sealed[:20], sender.public)
    with pytest.raises(NkeyError):
        KeyPair.create(KeyKind.CURVE).open(sealed, sender.public)


def test_a_curve_key_cannot_sign_and_a_signing_key_cannot_seal() -> None:
    curve = KeyPair.create(KeyKind.CURVE)
    with pytest.raises(NkeyError, match="cannot sign"):
        curve.sign(b"")
    assert not curve.public.verify(b"", b"\0" * 64)
    with pytest.raises(NkeyError, match="Only curve keys"):
        KEY.seal(b"", curve.public)
    with pytest.raises(NkeyError, match="Only curve keys"):
        curve.seal(b"", KEY.public)


def test_a_secret_shows_itself_to_nobody_and_is_gone_after_wiping() -> None:
    secret = SecretBytes(b"hunter2")
    assert "hunter" not in f"{secret!r} {secret} {[secret]}"
    for spread in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            spread(secret)
    assert secret == SecretBytes(b"hunter2")
    assert secret != SecretBytes(b"hunter3")
    assert secret != b"hunter2"
    assert len(secret) == 7
    with secret as inside:
        assert inside.reveal() == b"hunter2"
    assert len(secret) == 0
    assert not secret
    with pytest.raises(ValueError, match="wiped"):
        secret.reveal()


def test_a_wiped_pair_cannot_sign() -> None:
    pair = KeyPair.create(KeyKind.USER)
    pair.wipe()
    with pytest.raises(ValueError, match="wiped"):
        pair.sign(b"")
    with pytest.raises(ValueError, match="wiped"):
        pair.seed()
