"""Presets: named, versioned sets of permissions that fill a user or a role; pure data, and how it is filled in.

A line's subject may hold parameters, `${stream}`, which whoever applies the preset gives. A side for which nothing is
listed is closed, not open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from identities.claims import recipes
from identities.claims.errors import ClaimsError
from identities.claims.explain_types import INBOX
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.recipes import Side, Wish
from identities.claims.subjects import has_wildcards, is_strict_valid

_PARAMETER = re.compile(r"\$\{([a-z][a-z0-9_]{0,30})\}")
_ANY = re.compile(r"\$\{[^}]*\}?")
_NAMES = frozenset({"stream", "bucket", "store", "consumer", "queue", "name", "device"})
EVERYTHING = ">"


class Kind(StrEnum):
    """What a parameter may be: a subject with or without wildcards, one word, or the beginning of inboxes."""

    SUBJECT = "subject"
    NAME = "name"
    INBOX = "inbox"


class BadPreset(ClaimsError):
    """A preset, or what was given for one of its parameters, comes out as no subject."""

    code = "bad-preset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something to be given when a preset is applied; one that is not `required` has a `default`, maybe none."""

    name: str
    label: str
    kind: Kind = Kind.SUBJECT
    help: str = ""
    default: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One subject that is allowed or denied, with what it is for; `Side.ANSWER` has none.

    `above`: of a subject that ends in `.>`, what stands before that; nothing of any other one.
    """

    side: Side
    subject: str
    why: str
    deny: bool = False
    above: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of a preset. `wishes` are tasks of `recipes` whose texts may hold parameters, as `lines` may.

    `answers`: how many answers to each request, 0 for none. `connection_types` are those alone that may connect, ()
    leaves them as they are; `bearer` makes the JWT alone log in. `news` is what is new in it.
    """

    number: int
    parameters: tuple[Parameter, ...] = ()
    wishes: tuple[Wish, ...] = ()
    lines: tuple[Line, ...] = ()
    answers: int = 0
    connection_types: tuple[str, ...] = ()
    bearer: bool = False
    news: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named set; `editions` are its versions, oldest first. `key` never changes, `own` says who made it."""

    key: str
    title: str
    about: str
    editions: tuple[Edition, ...]
    own: bool = False

    @property
    def newest(self) -> Edition:
        """The version that is applied."""
        return self.editions[-1]

    def edition(self, number: int) -> Edition | None:
        """The version with this number."""
        return next((each for each in self.editions if each.number == number), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetDraft:
    """An own preset as it was filled in; the edition's number follows."""

    title: str
    about: str
    edition: Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """An edition with its parameters given: the lines, and what else it says."""

    edition: Edition
    lines: tuple[Line, ...]

    def over(self, limits: UserPermissionLimits) -> UserPermissionLimits:
        """`limits` with the permissions replaced by these; numbers, networks and hours stay."""
        answers = self.edition.answers or int(any(line.side is Side.ANSWER for line in self.lines))
        return replace(
            limits,
            pub=self._side(Side.PUBLISH, limits.pub),
            sub=self._side(Side.SUBSCRIBE, limits.sub),
            resp=_answering(limits.resp, answers),
            allowed_connection_types=self.edition.connection_types or limits.allowed_connection_types,
            bearer_token=limits.bearer_token or self.edition.bearer,
        )

    def _side(self, side: Side, held: Permission) -> Permission:
        mine = [line for line in self.lines if line.side is side]
        return replace(
            held,
            allow=tuple(dict.fromkeys(line.subject for line in mine if not line.deny)),
            deny=tuple(dict.fromkeys(line.subject for line in mine if line.deny)),
        )


def _answering(held: ResponsePermission | None, answers: int) -> ResponsePermission | None:
    if not answers:
        return None
    if held is not None and held.max == answers:
        return held
    return ResponsePermission(max=answers)


def fill(edition: Edition, values: Mapping[str, str]) -> Filled:
    """The edition with these values of its parameters.

    Raises: BadPreset: a value that is missing or of the wrong kind, or a line that comes out as no subject.
    """
    given = {parameter.name: _value(parameter, values) for parameter in edition.parameters}
    lines = [*_of_wishes(edition, given)]
    for line in edition.lines:
        subject = _given(line.subject, given)
        if line.above:
            if not subject.endswith(".>"):
                continue
            subject = subject[:-2]
        if line.side is not Side.ANSWER:
            _refuse_bad(subject, line)
        lines.append(replace(line, subject=subject, above=False))
    lines += _closed(edition, lines)
    return Filled(edition=edition, lines=tuple(dict.fromkeys(lines)))


def parameters_of(lines: tuple[Line, ...]) -> tuple[Parameter, ...]:
    """The parameters that lines name, in their order; what is a name by its name takes no dots and wildcards."""
    found = dict.fromkeys(name for line in lines for name in _PARAMETER.findall(line.subject))
    return tuple(_parameter(name) for name in found)


def check_lines(edition: Edition) -> None:
    """Refuse lines that could never be subjects, whatever is given for their parameters.

    Raises: BadPreset.
    """
    for line in edition.lines:
        odd = [text for text in _ANY.findall(line.subject) if not _PARAMETER.fullmatch(text)]
        if odd:
            raise BadPreset(
                f"“{odd[0]}” in “{line.subject}” is no parameter: write ${{name}} with small letters, digits and _.",
                field=field_of(line),
            )
    fill(edition, {one.name: one.default or "x" for one in edition.parameters})


def field_of(line: Line) -> str:
    """The form field in which such a line is written."""
    return f"{line.side.value}_{'deny' if line.deny else 'allow'}"


def _parameter(name: str) -> Parameter:
    label = name.replace("_", " ").capitalize()
    if name == "inbox":
        return INBOX_PARAMETER
    return Parameter(name=name, label=label, kind=Kind.NAME if name in _NAMES else Kind.SUBJECT)


def _value(parameter: Parameter, values: Mapping[str, str]) -> str:
    value = values.get(parameter.name, "").strip() or parameter.default
    field = parameter.name
    if not value:
        if parameter.required:
            raise BadPreset(f"Give the {parameter.label.lower()}.", field=field)
        return ""
    if not is_strict_valid(value):
        raise BadPreset(f"“{value}” is no subject: tokens between dots, without blanks.", field=field)
    if parameter.kind is Kind.NAME and set(value) & set(".*>"):
        raise BadPreset(f"“{value}”: one word without dots, blanks and wildcards.", field=field)
    if parameter.kind is Kind.INBOX and has_wildcards(value):
        raise BadPreset(f"“{value}” is no beginning of an inbox: it has wildcards.", field=field)
    return value


def _given(text: str, values: Mapping[str, str]) -> str:
    return _PARAMETER.sub(lambda found: values.get(found[1], ""), text).strip()


def _of_wishes(edition: Edition, given: Mapping[str, str]) -> Iterator[Line]:
    for wish in edition.wishes:
        wanted = replace(
            wish,
            subject=_given(wish.subject, given),
            name=_given(wish.name, given),
            consumer=_given(wish.consumer, given),
            queue=_given(wish.queue, given),
            inbox=_given(wish.inbox, given),
        )
        for line in recipes.lines(wanted):
            yield Line(side=line.side, subject=line.subject, why=line.why)


def _closed(edition: Edition, lines: list[Line]) -> Iterator[Line]:
    answers = edition.answers or any(line.side is Side.ANSWER for line in lines)
    if not answers and not any(line.side is Side.PUBLISH for line in lines):
        yield Line(side=Side.PUBLISH, subject=EVERYTHING, why="It publishes nothing.", deny=True)
    if not any(line.side is Side.SUBSCRIBE for line in lines):
        yield Line(side=Side.SUBSCRIBE, subject=EVERYTHING, why="It subscribes to nothing.", deny=True)


def _refuse_bad(subject: str, line: Line) -> None:
    words = subject.split(" ")
    most = 2 if line.side is Side.SUBSCRIBE else 1
    if len(words) > most or not all(map(is_strict_valid, words)):
        what = f"“{line.subject}”" + (f" comes out as “{subject}”, which" if subject != line.subject else "")
        raise BadPreset(
            f"{what} is no subject: write words joined by dots, such as orders.new or orders.>",
            field=field_of(line),
        )


INBOX_PARAMETER = Parameter(
    name="inbox",
    label="Inbox prefix",
    kind=Kind.INBOX,
    help=f"Of a client that sets one. Empty: {INBOX}.",
    default=INBOX,
    required=False,
)
