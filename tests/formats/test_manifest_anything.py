"""Whatever is given as a manifest is read or refused with lines, and never a fault; what is read can be written."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from identities.formats import manifest
from identities.formats.yaml_nodes import UnreadableManifest
from tests.formats.test_manifest import FULL

PIECES = st.sampled_from(
    [
        *FULL.splitlines(keepends=True),
        "\n",
        "  ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "&a",
        "*a",
        "!!x",
        "|",
        ">",
    ]
    + [
        "\t",
        "#",
        "%",
        "~",
        "null",
        "\ufeff",
        "\u2028",
        "\x00",
        "-1",
        "9" * 30,
        "unlimited",
        "none",
        "key: ",
        "users:",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join))
@example("operator: {name: a}\naccounts:\n  - name: b\n    limits: {conn: ['1']}\n")
@example("operator:\n  name: a\n  exp: 9999999999999999999-01-01\n")
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(FULL)), st.integers(0, 12), PIECES | st.text(max_size=3))
def test_a_manifest_with_a_slip_is_read_or_refused(place: int, gone: int, put: str) -> None:
    check(FULL[:place] + put + FULL[place + gone :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check(data)


def check(data: bytes | str) -> None:
    read, problems = None, ()
    try:
        read = manifest.read(data)
    except UnreadableManifest as refused:
        problems = refused.problems
    if read is None:
        assert problems
        assert all(problem.message and problem.line >= 0 for problem in problems)
        return
    text = manifest.write(read)
    assert manifest.write(manifest.read(text)) == text
