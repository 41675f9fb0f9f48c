"""Subject transforms by nats-server's rules; the agreement test asks the server itself."""

from __future__ import annotations

import pytest

from identities.claims.transforms import Transform, TransformRefused, tokenized, untokenized


def becomes(source: str, destination: str, subject: str) -> list[str]:
    return list(Transform.of(source, destination).apply(subject.split(".")))


@pytest.mark.parametrize(
    ("source", "destination", "subject", "result"),
    [
        ("a", "b.c", "a", "b.c"),
        ("a.*", "b.$1", "a.x", "b.x"),
        ("a.*.*", "b.$2.$1", "a.x.y", "b.y.x"),
        ("a.*.*", "b.{{wildcard(2)}}", "a.x.y", "b.y"),
        ("a.>", "b.>", "a.x.y", "b.x.y"),
        (">", "all.>", "x.y", "all.x.y"),
        ("a.*.>", "$1.b.>", "a.x.y.z", "x.b.y.z"),
        ("a.*", "$0.$1", "a.x", "a.x"),
        ("a.*", "b.$x", "a.x", "b.$x"),
        ("a.*", "b.{{splitfromleft(1,2)}}", "a.abcd", "b.ab.cd"),
        ("a.*", "b.{{SplitFromRight(1,1)}}", "a.abcd", "b.abc.d"),
        ("a.*", "b.{{slicefromleft(1,2)}}", "a.abcde", "b.ab.cd.e"),
        ("a.*", "b.{{SliceFromRight(1,2)}}", "a.abcde", "b.a.bc.de"),
        ("a.*", "b.{{slicefromleft(1,9)}}", "a.abc", "b.abc"),
        ("a.*", "b.{{split(1,-)}}", "a.x-y--z", "b.x.y.z"),
        ("a.*", "b.{{left(1,2)}}", "a.abc", "b.ab"),
        ("a.*", "b.{{right(1,2)}}", "a.abc", "b.bc"),
        ("a.*", "b.{{partition(0,1)}}", "a.abc", "b.0"),
    ],
)
def test_a_subject_becomes(source: str, destination: str, subject: str, result: str) -> None:
    assert becomes(source, destination, subject) == [result]


def test_partitions_are_those_of_fnv_1a() -> None:
    # 0x811c9dc5 is the hash of nothing; "a" hashes to 0xe40c292c (the test vectors of FNV-1a)
    assert becomes("x.*", "{{partition(2147483647,1)}}", "x.a") == [str(0xE40C292C % 2147483647)]
    assert becomes("x", "y.{{partition(10)}}", "x") == [f"y.{_fnv(b'x') % 10}"]


def _fnv(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def test_a_random_token_may_be_any() -> None:
    assert becomes("a", "b.{{random(3)}}", "a") == ["b.0", "b.1", "b.2"]
    assert becomes("a", "b.{{random(100000)}}", "a") == ["b.*"]


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("a", "b.$1"),
        ("a.*", "b.*"),
        ("a.*", "b.$2"),
        ("a.>", "b"),
        ("a", "b.>"),
        ("a", "b..c"),
        ("a", "b.>.c"),
        ("a", ""),
        ("a", "b c"),
        ("a.*", "b.{{unknown(1)}}"),
        ("a.*", "b.{{PARTITION(1,1)}}"),
        ("a.*", "b.{{wildcard()}}"),
        ("a.*", "b.{{wildcard(1,2)}}"),
        ("a.*", "b.{{partition()}}"),
        ("a.*", "b.{{partition(x,1)}}"),
        ("a.*", "b.{{split(1)}}"),
        ("a.*", "b.{{left(1)}}"),
        ("a.*", "b.{{left(1,2,3)}}"),
        ("a.*", "b.{{random(1,2)}}"),
        ("a.*", "b.{{left(1,9999999999)}}"),
    ],
)
def test_what_nats_server_drops_is_refused(source: str, destination: str) -> None:
    with pytest.raises(TransformRefused):
        Transform.of(source, destination)


def test_imports_name_each_wildcard_and_nothing_else() -> None:
    assert Transform.of("a.*.*", "l.$2.$1", strict=True).apply(["a", "x", "y"]) == ("l.y.x",)
    for destination in ("l.$1", "l.$1.{{partition(2,2)}}"):
        with pytest.raises(TransformRefused):
            Transform.of("a.*.*", destination, strict=True)


def test_the_way_back_is_the_server_s_even_where_it_is_not_the_inverse() -> None:
    two = Transform.of("a.*.*", "l.$2.$1", strict=True)
    assert two.reverse().apply(["l", "y", "x"]) == ("a.x.y",)
    three = Transform.of("a.*.*.*", "l.$2.$3.$1", strict=True)
    assert three.apply(["a", "1", "2", "3"]) == ("l.2.3.1",)
    assert three.reverse().apply(["l", "2", "3", "1"]) == ("a.3.1.2",)


def test_wildcards_and_their_names() -> None:
    assert tokenized("a.*.b.*") == "a.$1.b.$2"
    assert untokenized("a.$2.{{wildcard(1)}}.$SYS.>") == ("a.*.*.$SYS.>", ["$2", "{{wildcard(1)}}"])
