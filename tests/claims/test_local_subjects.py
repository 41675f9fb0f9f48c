"""What an import is called in the importing account; which renamings nats-server refuses or reads otherwise."""

from __future__ import annotations

import pytest

from identities.claims.imports import Import
from identities.claims.local_subjects import example, local_concerns, local_pattern, remote_subject


def renaming(subject: str, local: str, kind: str = "stream") -> Import:
    return Import(subject=subject, local_subject=local, account="A", type=kind)


def problems(subject: str, local: str) -> list[str]:
    return [concern.message for concern in local_concerns("i", renaming(subject, local))]


def test_without_a_local_subject_it_is_called_as_in_the_exporting_account() -> None:
    imported = Import(subject="orders.>", type="stream")
    assert (remote_subject(imported), local_pattern(imported)) == ("orders.>", "orders.>")


@pytest.mark.parametrize("kind", ["stream", "service"])
def test_a_local_subject_renames_it_with_references_as_wildcards(kind: str) -> None:
    imported = renaming("orders.*.*", "eu.$2.$1", kind)
    assert (remote_subject(imported), local_pattern(imported)) == ("orders.*.*", "eu.*.*")


def test_the_deprecated_to_is_a_prefix_for_streams_and_the_exporters_subject_for_services() -> None:
    stream = Import(subject="orders.>", to="from", type="stream")
    assert (remote_subject(stream), local_pattern(stream)) == ("orders.>", "from.orders.>")
    service = Import(subject="ask", to="orders.api", type="service")
    assert (remote_subject(service), local_pattern(service)) == ("orders.api", "ask")


@pytest.mark.parametrize(
    ("subject", "local"),
    [
        ("orders.*", "eu.$1"),
        ("orders.*.*", "$2.$1"),
        ("orders.*.*", "*.x.*"),
        ("orders.>", "eu.>"),
        ("orders.*.>", "eu.$1.>"),
        ("orders.*.*", "$1.$1.$1"),  # a wrong number is Go's to tell
        ("orders.*", "$SYS.$1"),
    ],
)
def test_a_renaming_that_takes_each_wildcard_once_is_fine(subject: str, local: str) -> None:
    assert problems(subject, local) == []


@pytest.mark.parametrize(
    ("local", "said"),
    [
        ("$1.$1", "takes $1 of \"orders.*.*\" twice and leaves out $2"),
        ("*.$1", "a `*` counts as $1"),
        ("$0.$1", "\"$0\" is no reference"),
        ("$01.$2", "\"$01\" is no reference"),
        ("$1x.$1.$2", "\"$1x\" is no reference"),
        ("{{wildcard(1)}}.{{wildcard(2)}}", "no function"),
    ],
)  # fmt: skip
def test_what_goes_library_lets_pass_and_nats_server_does_not(local: str, said: str) -> None:
    (message,) = problems("orders.*.*", local)
    assert said in message


def test_a_prefix_with_wildcards_is_refused() -> None:
    imported = Import(subject="orders.>", to="from.*", type="stream")
    assert [concern.path for concern in local_concerns("i", imported)] == ["i.to"]


@pytest.mark.parametrize(
    ("subject", "local", "shown"),
    [
        ("orders.*.*", "eu.$2.$1", ("orders.A.B", "eu.B.A")),
        ("orders.*.>", "eu.$1.x.>", ("orders.A.more", "eu.A.x.more")),
        ("orders.*.*", "*.x.*", ("orders.A.B", "A.x.B")),
        ("orders.new", "eu.new", None),
        ("orders.*", "", None),
        ("orders.*.*", "$1.$1", None),
        ("orders.*", "eu.$2", None),
        ("orders.*.*", "eu.$1", None),
    ],
)
def test_an_example_shows_where_each_token_goes(
    subject: str, local: str, shown: tuple[str, str] | None
) -> None:
    assert example(renaming(subject, local)) == shown


def test_an_example_of_a_prefix() -> None:
    imported = Import(subject="orders.*", to="from", type="stream")
    assert example(imported) == ("orders.A", "from.orders.A")
