from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.formats.creds import format_creds, parse_creds
from identities.formats.errors import FormatError
from identities.nkeys import KeyKind, KeyPair, SecretBytes

GOLDEN = Path(__file__).parents[1] / "golden"
CREDS = [GOLDEN / "vectors/user-default.creds", *sorted(GOLDEN.glob("*/out/creds/*.creds"))]
SAMPLE = CREDS[0].read_text()


def jwt_for(subject: str, kind: str = "user") -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return (
        f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part({'sub': subject, 'nats': {'type': kind}})}.c2ln"
    )


@pytest.mark.parametrize("path", CREDS, ids=lambda path: path.name)
def test_creds_are_written_byte_for_byte_as_nsc_writes_them(path: Path) -> None:
    # Kept output of `nsc generate creds` has the one line end more that nsc prints to a terminal.
    text = path.read_bytes().decode()
    parsed = parse_creds(text)
    assert parsed.seed is not None
    assert format_creds(parsed.jwt, parsed.seed) == text.rstrip("\n") + "\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: "Dear all,\nhere are my creds:\n\n" + text + "\nregards\n",
        lambda text: text.replace("------END", "-----END").replace("JWT------", "JWT-----"),
        lambda text: "\n".join("   " + line + "  " for line in text.split("\n")),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("BEGIN NATS USER JWT", "BEGIN USER JWT"),
        lambda text: text[text.index("-----BEGIN USER NKEY") :] + text[: text.index("-----BEGIN USER NKEY")],
        lambda text: text[: text.index("------END USER NKEY")],
    ],
    ids=[
        "crlf",
        "no last line end",
        "text around",
        "v1 dashes",
        "blanks",
        "bom",
        "v1 label",
        "seed first",
        "cut off",
    ],
)
def test_creds_are_read_however_they_were_pasted(change: object) -> None:
    plain, changed = parse_creds(SAMPLE), parse_creds(change(SAMPLE))  # type: ignore[operator]
    assert changed.jwt == plain.jwt
    assert changed.seed == plain.seed


def test_a_jwt_alone_and_a_seed_alone_are_read() -> None:
    whole = parse_creds(SAMPLE)
    assert whole.seed is not None
    assert parse_creds(f" {whole.jwt}\n").jwt == whole.jwt
    assert parse_creds(whole.jwt).seed is None
    alone = parse_creds(whole.seed.reveal().decode())
    assert alone.jwt == ""
    assert alone.seed == whole.seed


@pytest.mark.parametrize(
    "name", ["operator-full", "account-full", "activation-plain", "authorization-request"]
)
def test_a_decorated_jwt_of_any_type_is_read(name: str) -> None:
    parsed = parse_creds((GOLDEN / f"vectors/decorated-jwt-{name}.txt").read_text())
    assert parsed.jwt.startswith("ey")
    assert parsed.seed is None


@pytest.mark.parametrize("name", ["operator", "account", "user"])
def test_a_decorated_seed_of_any_type_is_read(name: str) -> None:
    assert parse_creds((GOLDEN / f"vectors/decorated-seed-{name}.txt").read_text()).seed is not None


@pytest.mark.parametrize(
    "text", ["", "hello", "-" * 300_000, "---\n" * 50_000, "x" * (1024 * 1024 + 1), "a.b.c"]
)
def test_a_text_without_jwt_and_seed_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_creds(text)


@given(st.text())
def test_no_text_makes_the_parser_fail_in_another_way(text: str) -> None:
    with suppress(FormatError):
        parse_creds(text)


@given(st.binary(min_size=0, max_size=40))
def test_what_is_written_is_read_back(noise: bytes) -> None:
    pair = KeyPair.create(KeyKind.USER)
    jwt = jwt_for(pair.public.text) + base64.urlsafe_b64encode(noise).decode().rstrip("=")
    parsed = parse_creds(format_creds(jwt, pair.seed()))
    assert parsed.jwt == jwt
    assert parsed.seed == pair.seed()
    assert format_creds(jwt, pair) == format_creds(jwt, pair.seed())


def test_the_seed_of_another_user_is_refused() -> None:
    with pytest.raises(FormatError, match="nkey seed does not match the jwt subject"):
        format_creds(parse_creds(SAMPLE).jwt, KeyPair.create(KeyKind.USER).seed())
    with pytest.raises(FormatError, match="nkey seed does not match the jwt subject"):
        format_creds(parse_creds(SAMPLE).jwt, KeyPair.create(KeyKind.USER))


def test_an_accounts_seed_is_refused() -> None:
    with pytest.raises(FormatError, match="starts with SU"):
        format_creds(parse_creds(SAMPLE).jwt, KeyPair.create(KeyKind.ACCOUNT).seed())


@pytest.mark.parametrize("jwt", ["", "x", "ey.x.y", "eyJ.e30.x", "eyJ.!!.x", "eyJ.W10.x", "eyJ.e30.x\neyJ"])
def test_what_is_no_jwt_is_refused(jwt: str) -> None:
    with pytest.raises(FormatError):
        format_creds(jwt, KeyPair.create(KeyKind.USER).seed())


def test_another_types_jwt_is_refused() -> None:
    pair = KeyPair.create(KeyKind.USER)
    with pytest.raises(FormatError, match="of another type"):
        format_creds(jwt_for(pair.public.text, "account"), pair.seed())


def test_no_refusal_shows_a_seed() -> None:
    seed = KeyPair.create(KeyKind.USER).seed()
    damaged = SecretBytes(seed.reveal()[:-1] + (b"A" if seed.reveal()[-1:] != b"A" else b"B"))
    for bad in (seed, damaged):
        with pytest.raises(FormatError) as refused:
            format_creds(parse_creds(SAMPLE).jwt, bad)
        assert bad.reveal().decode()[2:20] not in str(refused.value)
