"""YAML as people write it in manifests, read into nodes that know their line: nothing is guessed, nothing is built.

A scalar stays the text that was written, so that whoever knows the field decides what it means: a name `no` is a
name, and `12:30:00` is no number. Anchors, aliases, tags and a second document are refused (a few lines of them can
stand for gigabytes), and so is a key that stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from identities.formats.errors import LONGEST_SHOWN, FormatError, shown

MOST_BYTES = 8 * 2**20
DEEPEST = 24
MOST_TOLD = 100
_SEED = re.compile(r"\bS[OAUXNC][A-Z2-7]{56}\b", re.ASCII)
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REMEDIES = {
    "cannot start any token": "Indent with blanks, not with tabs; a value that begins with %, @ or ` needs quotes.",
    "mapping values are not allowed": "Put a value that holds “: ” in quotes, or start a new line.",
    "could not find expected ':'": "Write “name: value”, one on a line.",
    "did not find expected key": "Look at the indentation of this line and the one before.",
    "did not find expected '-' indicator": "Begin every entry of the list with “- ”, in one column.",
    "unexpected end of stream": "Close the quote that was opened.",
    "found undefined tag handle": "Put a value that begins with “!” in quotes.",
    "found unknown escape character": "In double quotes write \\\\ for a backslash, or use single quotes.",
}
_REMEDY = (
    "Look at this line and the one before: indentation, a missing colon, or a quote that was not closed."
)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at one place of a text, and what to do; `line` and `column` count from 1, 0 = the whole."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}: {self.message}" if self.line else self.message


class UnreadableManifest(FormatError):
    """A manifest that can't be taken; `problems` are all that was found, by line. The message names the first many."""

    code = "unreadable-manifest"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        lines = [str(problem) for problem in self.problems[:MOST_TOLD]]
        if len(self.problems) > MOST_TOLD:
            lines.append(f"And {len(self.problems) - MOST_TOLD:,} more problems.")
        super().__init__("\n".join(lines), field="manifest")


@dataclass(slots=True)
class Node:
    """One value and where it stands. `text` of a scalar, `items` of a list, `entries` of a map; the others are None.

    `path` names it as errors do: `accounts[2].exports[1].type`. `plain`: written without quotes.
    """

    line: int
    column: int
    path: str
    text: str | None = None
    plain: bool = False
    items: list[Node] | None = None
    entries: dict[str, Node] | None = None
    key: Node | None = field(default=None, repr=False)
    """Of a map that is still read: the key whose value comes next."""

    @property
    def is_nothing(self) -> bool:
        """True for what YAML reads as null: a key without a value, `~`."""
        return self.plain and self.text in _NOTHING

    @property
    def kind(self) -> str:
        """What stands here, in words."""
        if self.items is not None:
            return "a list"
        if self.entries is not None:
            return "a block of fields"
        return "nothing" if self.is_nothing else f"the text {shown(self.text or '')}"

    def problem(self, message: str) -> Problem:
        """A problem at this place; the message begins with the path."""
        where = f"“{self.path}” " if self.path else "The manifest "
        return Problem(self.line, self.column, where + message)


def parse(data: bytes | str) -> Node:
    """The one document of a text.

    Raises: UnreadableManifest.
    """
    text = _text(data)
    found: list[Problem] = []
    try:
        root = _tree(yaml.parse(text, Loader=_LOADER), found)
    except yaml.MarkedYAMLError as broken:
        raise UnreadableManifest([*found, _syntax(broken)]) from None
    except yaml.YAMLError as broken:
        raise UnreadableManifest([*found, _unreadable(broken, text)]) from None
    if found:
        raise UnreadableManifest(found)
    if root is None:
        raise UnreadableManifest(
            [Problem(0, 0, "The manifest is empty. Begin with “operator:” and its name.")]
        )
    return root


def _text(data: bytes | str) -> str:
    try:
        raw = data if isinstance(data, bytes) else data.encode()
        text = raw.decode("utf-8-sig")
    except UnicodeError as broken:
        at = f" (byte {broken.start:,})" if isinstance(broken, UnicodeDecodeError) else ""
        raise UnreadableManifest(
            [Problem(0, 0, f"The manifest is no UTF-8 text{at}. Save it as UTF-8.")]
        ) from None
    if len(raw) > MOST_BYTES:
        raise UnreadableManifest(
            [
                Problem(
                    0, 0, f"The manifest has {len(raw):,} bytes; at most {MOST_BYTES:,} are read. Split it."
                )
            ]
        )
    return text


def _syntax(broken: yaml.MarkedYAMLError) -> Problem:
    mark = broken.problem_mark or broken.context_mark
    said = broken.problem or "this cannot be read"
    remedy = next((remedy for words, remedy in _REMEDIES.items() if words in said), _REMEDY)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return Problem(line, column, f"This is no YAML: {said}. {remedy}")


def _unreadable(broken: yaml.YAMLError, text: str) -> Problem:
    """A character that YAML does not allow, such as a control character."""
    for number, line in enumerate(text.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            if not (character.isprintable() or character in "\t\r\x85\ufeff\u2028\u2029"):
                code = f"U+{ord(character):04X}"
                return Problem(number, column, f"The character {code} is not allowed in YAML. Remove it.")
    return Problem(0, 0, f"This is no YAML: {type(broken).__name__}. {_REMEDY}")


def _tree(events: Iterator[Any], found: list[Problem]) -> Node | None:
    """Build the nodes of the first document; what may not be there goes to `found`."""
    root: Node | None = None
    stack: list[Node] = []
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                at = _position(event)
                words = (
                    "A second document begins here. One manifest is for one operator: apply them one by one."
                )
                found.append(Problem(*at, words))
                break
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, stack[-1] if stack else None, found)
            root = root or node
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(node)
                if len(stack) > DEEPEST:
                    found.append(node.problem(f"is nested more than {DEEPEST} levels deep. Flatten it."))
                    break
    return root


def _node(event: Any, parent: Node | None, found: list[Problem]) -> Node:
    node = Node(*_position(event), "")
    if isinstance(event, yaml.ScalarEvent):
        node.text, node.plain = event.value, not event.style
    elif isinstance(event, yaml.SequenceStartEvent):
        node.items = []
    elif isinstance(event, yaml.MappingStartEvent):
        node.entries = {}
    else:  # an alias
        node.text = ""
    if parent is not None:
        _put(parent, node, found)
    if event.anchor is not None:
        what = "an alias" if isinstance(event, yaml.AliasEvent) else "an anchor"
        found.append(
            node.problem(
                f"holds {what} (“&” or “*”). Write the value out, or in quotes if the sign belongs to it."
            )
        )
    elif getattr(event, "tag", None) is not None:
        found.append(
            node.problem(f"holds the tag {shown(event.tag)}. Leave tags (“!”) out, or put it in quotes.")
        )
    if node.text is not None and _SEED.search(node.text):
        node.text = ""
        found.append(
            node.problem("holds a seed. No secret belongs into a manifest: remove it, and replace the key.")
        )
    return node


def _position(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _put(parent: Node, node: Node, found: list[Problem]) -> None:
    if parent.items is not None:
        node.path = f"{parent.path}[{len(parent.items)}]"
        parent.items.append(node)
        return
    entries = parent.entries
    if entries is None:  # pragma: no cover - only collections are parents
        return
    if parent.key is None:
        node.path = parent.path
        parent.key = node
        return
    key, parent.key = parent.key, None
    name = key.text
    if name is None:
        node.path = parent.path
        found.append(key.problem("has a list or block as a key. Write a name before the colon."))
        return
    called = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
    node.path = f"{parent.path}.{called}" if parent.path else called
    if name in entries:
        first = entries[name].line
        found.append(
            Problem(
                key.line,
                key.column,
                f"“{node.path}” stands twice (first on line {first}). Remove one, or merge them.",
            )
        )
        return
    entries[name] = node
