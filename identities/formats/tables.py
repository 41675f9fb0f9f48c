"""Text tables as nsc prints them: a title over columns, all in a frame."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A framed table; without headers its rows are lines of one column. Ends with a line end.

    Source: nsc `validate.go render`, which draws by xlab/tablewriter.
    """
    lines = [list(row) for row in rows]
    cells = [list(headers), *lines] if headers else lines
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    inner = sum(widths) + 3 * (len(widths) - 1)
    if len(title) > inner:
        widths[-1] += len(title) - inner
        inner = len(title)
    rule = f"+{'+'.join('-' * (width + 2) for width in widths)}+"
    left = " " * ((inner - len(title)) // 2)  # str.center puts the odd blank to the other side
    drawn = [f"+{'-' * (inner + 2)}+", f"| {(left + title).ljust(inner)} |", rule]
    if headers:
        drawn += [_line(headers, widths), rule]
    return "\n".join([*drawn, *(_line(row, widths) for row in lines), rule, ""])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return f"| {' | '.join(padded)} |"
