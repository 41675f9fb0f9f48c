"""What one search box can mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from django import forms
from django.http import QueryDict

from identities.claims import subjects
from identities.formats import mentions
from identities.forms.base import BaseForm
from identities.nkeys import looks_like_seed

LONGEST = 300


class Look(StrEnum):
    """What is looked for."""

    ANYTHING = ""
    NAMES = "names"
    KEYS = "keys"
    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


LABELS = {
    Look.ANYTHING: "anything",
    Look.NAMES: "names",
    Look.KEYS: "public keys",
    Look.PUBLISH: "who may publish to it",
    Look.SUBSCRIBE: "who may subscribe to it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the search page. `problem` says why it can't be answered; a seed is dropped, never kept.

    `after` is the place behind which the next page begins.
    """

    text: str
    look: Look
    operator: str
    inside: bool
    after: tuple[int, str, int] | None
    problem: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Query:
        """From a query string."""
        text = query.get("q", "").replace("\x00", "").strip()
        wanted = query.get("look", "")
        look = Look(wanted) if wanted in set(Look) else Look.ANYTHING
        problem = ""
        if looks_like_seed(mentions.without_jwts(text)):
            text = ""
            problem = (
                "That is a seed (a private key), which is secret. It was not looked for, but it is in your "
                "browser's history now: replace that key if others can read it. Search for the public key instead."
            )
        elif mentions.holds_jwt(text):
            text = ""
            problem = (
                "That is a JWT, and some log in alone: it was not looked for, but it is in your browser's history "
                "now. Paste it under “What is this key?” instead, or in the inspector."
            )
        elif len(text) > LONGEST:
            text, problem = text[:LONGEST], f"That is too long: {LONGEST} characters are enough."
        elif look in (Look.PUBLISH, Look.SUBSCRIBE) and text and not subjects.is_strict_valid(text):
            problem = (
                f"“{text}” is no subject: tokens between dots, without blanks; `*` for one token, `>` at the end "
                "for the rest."
            )
        return cls(
            text=text,
            look=look,
            operator=query.get("operator", ""),
            inside=query.get("inside", "") == "1",
            after=place(query.get("after", "")),
            problem=problem,
        )

    @property
    def is_subject_like(self) -> bool:
        """True when the text may be meant as a subject."""
        return any(mark in self.text for mark in ".*>") and subjects.is_strict_valid(self.text)


def place(text: str) -> tuple[int, str, int] | None:
    """The cursor of a link, None where it is none."""
    operator, first, rest = text.partition("~")
    name, second, pk = rest.rpartition("~")
    numbers = operator, pk
    if (
        not first
        or not second
        or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in numbers)
    ):
        return None
    return (int(operator), name.replace("\x00", ""), int(pk))


def place_text(place: tuple[int, str, int]) -> str:
    """The cursor in a link."""
    return "~".join(map(str, place))


class WhoseForm(BaseForm):
    """Anything that names keys: nothing of it is kept or shown again."""

    jwts: ClassVar[tuple[str, ...]] = ("text",)

    text = forms.CharField(
        max_length=mentions.LONGEST,
        label="A public key, a JWT, or lines of a log",
        help_text="Every key in it is looked for. It is sent apart from the address, and not kept.",
        widget=forms.Textarea(
            attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )

    def clean_text(self) -> str:
        """No seed beside the JWTs, whose letters may look like one."""
        text = str(self.cleaned_data["text"])
        if looks_like_seed(mentions.without_jwts(text)):
            raise forms.ValidationError(
                "That is a seed (a private key), which is secret. Give the public key instead."
            )
        return text

    def emptied(self) -> WhoseForm:
        """The form to show again: with its errors, without what was pasted."""
        if self.is_bound:
            self.is_valid()
            self.data = QueryDict()
        return self
