"""The drawing of who shares what: every import is a line between the two rows that it names."""

from __future__ import annotations

import itertools
import re

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.formats import diagrams
from identities.formats.diagrams import Drawing

A, B, C = ("A" * 55 + letter for letter in "ABC")


def account(
    key: str, name: str, *, exports: tuple[Export, ...] = (), imports: tuple[Import, ...] = ()
) -> diagrams.Account:
    return Claims(nats=AccountBody(exports=exports, imports=imports), sub=key, name=name)


ORDERS = account(
    A,
    "Orders",
    exports=(
        Export(subject="orders.>", type="stream"),
        Export(subject="ask", type="service", token_req=True),
    ),
)
BILLING = account(
    B,
    "Billing",
    imports=(
        Import(subject="orders.new", account=A, type="stream", local_subject="in.orders"),
        Import(subject="ask", account=A, type="service"),
        Import(subject="gone", account=A, type="stream"),
        Import(subject="far", account=C, type="service"),
    ),
)


def drawn(*accounts: diagrams.Account, only: str = "") -> Drawing:
    return diagrams.draw(diagrams.shared(accounts, only))


def test_every_import_is_a_line_between_its_two_rows() -> None:
    drawing = drawn(ORDERS, BILLING)
    heights = {(box.x, line.text): line.y - 4 for box in drawing.boxes for line in box.lines}
    left, right = sorted({box.x for box in drawing.boxes})
    ends = [
        tuple(map(int, re.fullmatch(r"M\d+ (\d+) C.* (\d+)", arrow.path).groups()))
        for arrow in drawing.arrows
    ]  # type: ignore[union-attr]
    assert ends == [
        (heights[left, "orders.>"], heights[right, "in.orders"]),
        (heights[left, "ask"], heights[right, "ask"]),
        (heights[left, "gone"], heights[right, "gone"]),
        (heights[left, "far"], heights[right, "far"]),
    ]
    assert [arrow.css for arrow in drawing.arrows] == [
        "stream", "service private", "stream missing", "service missing",
    ]  # fmt: skip


def test_nothing_overlaps_and_all_fits() -> None:
    drawing = drawn(ORDERS, BILLING)
    for side in {box.x for box in drawing.boxes}:
        boxes = sorted((box for box in drawing.boxes if box.x == side), key=lambda box: box.y)
        for upper, lower in itertools.pairwise(boxes):
            assert upper.y + upper.height < lower.y
        for box in boxes:
            assert all(box.y < line.y < box.y + box.height for line in box.lines)
            assert box.y + box.height < drawing.height
            assert box.x + box.width < drawing.width


def test_an_account_that_is_not_here_is_told_by_its_key() -> None:
    names = {box.name for box in drawn(ORDERS, BILLING).boxes}
    assert names == {"Orders", "Billing", "AAAA…AAAC (not here)"}


def test_one_account_can_be_looked_at_alone() -> None:
    third = account(C, "Third", imports=(Import(subject="orders.x", account=A, type="stream"),))
    assert (
        len(diagrams.shared([ORDERS, BILLING, third], C)) == 2
    )  # what it takes, and what Billing takes of it
    assert len(diagrams.shared([ORDERS, BILLING, third])) == 5


def test_more_than_a_picture_can_show_is_counted() -> None:
    many = tuple(Import(subject=f"orders.{number}", account=A, type="stream") for number in range(200))
    drawing = drawn(ORDERS, account(B, "Billing", imports=many))
    assert len(drawing.arrows) == diagrams.MOST_LINES
    assert drawing.left_out == 50


def test_long_names_are_cut() -> None:
    odd = account(B, "x" * 100, imports=(Import(subject="y" * 100, account=A, type="stream"),))
    drawing = drawn(ORDERS, odd)
    assert all(
        len(text) <= 40 for box in drawing.boxes for text in (box.name, *(line.text for line in box.lines))
    )


def test_nothing_shared_is_an_empty_picture() -> None:
    assert drawn(ORDERS) == Drawing(width=1000, height=diagrams.EDGE, boxes=(), arrows=(), left_out=0)
