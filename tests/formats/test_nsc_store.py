"""Files of nsc's are read by what is in them, wherever they lie; what is odd about one is told, and no seed is."""

from __future__ import annotations

import json

import pytest

from identities.formats.nsc_layout import Named, Place, is_wanted, place_of
from identities.formats.nsc_store import Found, FoundJWT, FoundSeed, FoundStore, Reader
from identities.nkeys import KeyKind, KeyPair

JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJzdWIiOiJ4In0.AAAA"
OTHER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJzdWIiOiJ5In0.BBBB"


@pytest.fixture
def user() -> KeyPair:
    return KeyPair.create(KeyKind.USER)


def seed_of(pair: KeyPair) -> str:
    return pair.seed().reveal().decode()


def read(path: str, data: str | bytes) -> tuple[list[Found], list[str]]:
    told: list[str] = []
    reader = Reader(lambda where, words: told.append(f"{where}: {words}"))
    raw = data if isinstance(data, bytes) else data.encode()
    return list(reader.file(path, raw)), told


def texts(data: str | bytes) -> tuple[list[Found], list[str]]:
    told: list[str] = []
    reader = Reader(lambda where, words: told.append(words))
    return list(reader.text("pasted", data if isinstance(data, bytes) else data.encode())), told


PLACES = {
    "stores/Op/Op.jwt": Place(Named.OPERATOR, "Op", "stores/Op"),
    "Op/Op.jwt": Place(Named.OPERATOR, "Op", "Op"),
    "stores/Op/accounts/A/A.jwt": Place(Named.ACCOUNT, "A", "stores/Op", "stores/Op/accounts/A"),
    "stores/Op/accounts/A/users/u.v.jwt": Place(Named.USER, "u.v", "stores/Op", "stores/Op/accounts/A"),
    ".nsc/nats/Op/accounts/A/users/u.jwt": Place(Named.USER, "u", ".nsc/nats/Op", ".nsc/nats/Op/accounts/A"),
    "keys/creds/Op/A/u.creds": Place(Named.USER, "u"),
    ".nkeys/Op/accounts/A/users/u.creds": Place(Named.USER, "u", ".nkeys/Op", ".nkeys/Op/accounts/A"),
    ".nkeys/Op/Op.nk": Place(Named.OPERATOR, "Op", ".nkeys/Op"),
    "stores/Op/users/u.jwt": Place(Named.USER, "u", "", "stores/Op"),
    "somewhere/x.jwt": Place(Named.NOTHING, "x"),
    "x.jwt": Place(Named.NOTHING, "x"),
}


@pytest.mark.parametrize("path", PLACES)
def test_a_path_tells_whose_a_file_is_meant_to_be(path: str) -> None:
    assert place_of(path) == PLACES[path]


def test_a_file_named_after_a_key_is_one_s_wherever_it_lies(user: KeyPair) -> None:
    key = user.public.text
    for path in (f"keys/keys/U/{key[1:3]}/{key}.nk", f"flat/{key}.jwt", f"{key}.nk"):
        assert place_of(path) == Place(Named.KEY, key)


def test_only_nsc_s_files_are_asked_for() -> None:
    assert all(is_wanted(path) for path in ("a/.nsc", "x.jwt", "x.JWT", "a/b.nk", "u.creds"))
    assert not any(
        is_wanted(path)
        for path in (
            "nsc.json",
            "README",
            "a.jwt/b",
            "__MACOSX/a/b.jwt",
            "a/._b.jwt",
            "x.jwt.bak",
            ".gitignore",
        )
    )


def test_a_jwt_is_read_with_whatever_is_around_it() -> None:
    decorated = f"-----BEGIN NATS ACCOUNT JWT-----\n{JWT}\n------END NATS ACCOUNT JWT------\n"
    for data in (
        JWT,
        f"\ufeff{JWT}",
        f"  {JWT}\r\n",
        decorated,
        JWT.encode("utf-16"),
        JWT.encode("utf-16-le"),
    ):
        found, _ = read("stores/Op/Op.jwt", data)
        assert [one.text for one in found if isinstance(one, FoundJWT)] == [JWT]


def test_what_is_odd_about_a_jwt_s_file_is_told() -> None:
    assert read("a.jwt", JWT + "\n")[1] == ["a.jwt: has blanks or line ends around it, which are left out"]
    assert read("a.jwt", JWT.encode("utf-16"))[1] == ["a.jwt: is written in UTF-16, and read all the same"]
    assert read("a.jwt", "")[1] == ["a.jwt: is empty"]
    assert read("a.jwt", b"\xff\xfe\xfd\x00 nonsense")[0] == []
    assert read("a.jwt", "nonsense")[1] == ["a.jwt: holds no JWT"]


def test_a_seed_is_known_by_the_key_that_it_makes(user: KeyPair) -> None:
    for path in ("keys/keys/U/XX/anything.nk", "old/Op/accounts/A/users/u.nk", "x.nk"):
        found, told = read(path, seed_of(user))
        assert [one.public_key for one in found if isinstance(one, FoundSeed)] == [user.public.text]
        assert told == []


def test_a_seed_in_the_file_of_another_key_is_told_without_the_seed(user: KeyPair) -> None:
    other = KeyPair.create(KeyKind.USER).public.text
    found, told = read(f"keys/{other}.nk", seed_of(user))
    assert len(found) == 1
    assert told == [
        f"keys/{other}.nk: holds the seed of {user.public.text}, not of the key it is named after"
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty"),
        ("nothing", "no seed, or one that was cut short"),
        ("CUT", "no seed, or one that was cut short"),
        ("BROKEN", "wrong checksum"),
        ("PUBLIC", "a public key alone"),
        ("TWO", "more than one seed"),
        ("SERVER", "which no operator, account or user has"),
    ],
)
def test_a_bad_seed_file_is_told_and_never_shown(data: str, words: str, user: KeyPair) -> None:
    seed = seed_of(user)
    server = seed_of(KeyPair.create(KeyKind.SERVER))
    text = {
        "CUT": seed[:40],
        "BROKEN": seed[:30] + ("A" if seed[30] != "A" else "B") + seed[31:],
        "PUBLIC": user.public.text,
        "TWO": f"{seed}\n{server}",
        "SERVER": server,
    }.get(data, data)
    found, told = read("x.nk", text)
    assert found == []
    assert len(told) == 1
    assert words in told[0]
    assert seed[:20] not in told[0]


def test_creds_hold_a_jwt_and_a_seed_that_belong_together(user: KeyPair) -> None:
    text = f"-----BEGIN NATS USER JWT-----\n{JWT}\n------END NATS USER JWT------\n\n{seed_of(user)}\n"
    for data in (text, text.replace("\n", "\r\n"), text.replace("-----", "---")):
        found, told = read("keys/creds/Op/A/u.creds", data)
        assert [type(one) for one in found] == [FoundSeed, FoundJWT]
        assert isinstance(found[1], FoundJWT)
        assert found[1].beside == user.public.text
        assert told == []


def test_half_a_creds_file_gives_its_half_and_is_told(user: KeyPair) -> None:
    found, told = read("u.creds", JWT)
    assert [type(one) for one in found] == [FoundJWT]
    assert "no creds file" in told[0]
    found, told = read("u.creds", seed_of(user))
    assert [type(one) for one in found] == [FoundSeed]
    assert "no creds file" in told[0]


def test_a_seed_that_came_before_comes_once(user: KeyPair) -> None:
    reader = Reader(lambda *_: None)
    creds = f"{JWT}\n{seed_of(user)}"
    first = list(reader.file("a.nk", seed_of(user).encode()))
    second = list(reader.file("u.creds", creds.encode()))
    assert [type(one) for one in first] == [FoundSeed]
    assert [type(one) for one in second] == [FoundJWT]
    assert isinstance(second[0], FoundJWT)
    assert second[0].beside == user.public.text


def test_an_operator_s_folder_says_whether_it_is_managed() -> None:
    said = json.dumps({"managed": True, "name": "Synadia", "kind": "operator", "version": "1"})
    assert read("stores/S/.nsc", said)[0] == [FoundStore("stores/S", "Synadia", managed=True)]
    assert read("stores/S/.nsc", '{"kind":"operator","name":"S"}')[0] == [
        FoundStore("stores/S", "S", managed=False)
    ]
    assert read("x/.nsc", '{"kind":"account"}') == ([], [])
    for broken in ("", "{", "[]", "[" * 5000):
        assert read("x/.nsc", broken)[1] == ["x/.nsc: is not what nsc writes, and is passed over"]


def test_a_text_gives_everything_that_is_in_it(user: KeyPair) -> None:
    account = KeyPair.create(KeyKind.ACCOUNT).public.text
    found, told = texts(f"hello\n{account}|{JWT}\n\n{OTHER} and {seed_of(user)}\nbye")
    jwts = [(one.text, one.beside) for one in found if isinstance(one, FoundJWT)]
    assert jwts == [(JWT, account), (OTHER, "")]
    assert [one.public_key for one in found if isinstance(one, FoundSeed)] == [user.public.text]
    assert told == []


def test_a_text_with_nothing_in_it_or_a_damaged_seed_is_told(user: KeyPair) -> None:
    assert texts("hello")[1] == ["holds neither a JWT nor a seed"]
    found, told = texts(f"{JWT} {seed_of(user)[:50]}")
    assert len(found) == 1
    assert told == ["holds what looks like a seed, but a character of it is wrong or missing"]
