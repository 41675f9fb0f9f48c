"""What is said about security is there: every requirement of the list has its row, every named test exists."""

from __future__ import annotations

import ast
import csv
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATUSES = {"met", "partly", "planned", "not applicable"}
WANTED = """
1.1.1 1.2.1-1.2.5 1.2.9 1.2.10 1.3.2 1.3.3 1.3.6 1.3.7 1.3.12 1.5.2 1.5.3
2.1.1-2.1.3 2.2.1-2.2.3 2.3.1-2.3.5 2.4.1
3.2.1 3.2.2 3.3.1-3.3.4 3.4.1-3.4.8 3.5.1-3.5.3 3.5.8 3.6.1 3.7.2
4.1.1-4.1.5 4.2.1-4.2.5 4.3.1 4.3.2
5.2.1-5.2.6 5.3.1-5.3.3 5.4.1 5.4.2
6.1.1 6.2.1-6.2.12 6.3.1-6.3.5 6.3.7 6.3.8 6.4.1-6.4.4 6.4.6 6.5.1-6.5.6 6.7.2 6.8.1 6.8.2 6.8.4
7.1.1-7.1.3 7.2.1-7.2.4 7.3.1 7.3.2 7.4.1-7.4.5 7.5.1-7.5.3 7.6.1
8.1.1 8.1.2 8.2.1-8.2.3 8.3.1-8.3.3 8.4.1
9.1.1-9.1.3 9.2.1-9.2.4
10.1.1 10.1.2 10.2.1-10.2.3 10.5.1-10.5.5
11.1.1 11.1.2 11.1.4 11.2.1-11.2.5 11.3.1-11.3.4 11.4.1-11.4.4 11.5.1 11.6.1 11.7.2
12.1.1 12.2.1 12.3.1-12.3.5
13.2.1-13.2.6 13.3.1-13.3.4 13.4.1-13.4.6
14.1.1 14.1.2 14.2.1-14.2.4 14.2.6 14.2.7 14.3.1-14.3.3
15.1.1-15.1.3 15.2.1-15.2.4 15.3.1-15.3.5 15.3.7 15.4.1-15.4.3
16.1.1 16.2.1-16.2.5 16.3.1-16.3.4 16.4.1-16.4.3 16.5.1-16.5.4
"""
"""The requirements of OWASP ASVS 5.0.0 that we mean to meet: level 2 where it applies, and some of level 3."""
THREATS = 22
_TEST = re.compile(r"tests/[\w/]+\.py(?:::\w+)?")


def wanted() -> list[str]:
    found = []
    for word in WANTED.split():
        first, _, last = word.partition("-")
        chapter, section, begin = first.split(".")
        end = last.split(".")[2] if last else begin
        found += [f"{chapter}.{section}.{number}" for number in range(int(begin), int(end) + 1)]
    return found


def rows() -> list[dict[str, str]]:
    with (ROOT / "docs" / "asvs.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def defined_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_requirement_has_its_row_and_no_other() -> None:
    ids = [row["id"] for row in rows()]
    assert sorted(ids) == sorted(wanted())
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_a_row_says_where_it_is_shown_or_why_it_is_not(row: dict[str, str]) -> None:
    assert row["status"] in STATUSES
    assert row["level"] in {"2", "3"}
    if row["status"] == "met":
        assert row["test"]
    else:
        assert row["note"] or row["test"]
    if row["status"] in {"planned", "not applicable"}:
        assert row["note"] and not row["test"]


def test_every_named_test_exists() -> None:
    texts = [row["test"] for row in rows() if row["test"]]
    texts += _TEST.findall((ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8"))
    missing = []
    for text in texts:
        path, _, name = text.partition("::")
        if not (ROOT / path).is_file() or (name and name not in defined_in(path)):
            missing.append(text)
    assert missing == []


def test_every_threat_names_a_test() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    sections = re.split(r"^## T(\d+)", text, flags=re.M)[1:]
    numbers = [int(number) for number in sections[::2]]
    assert numbers == list(range(1, THREATS + 1))
    for number, section in zip(numbers, sections[1::2], strict=True):
        assert _TEST.search(section), f"T{number} names no test"
