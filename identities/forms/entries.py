"""Forms over one entry of a list in an account's claims: its findings find their fields, others are said to be so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from identities.claims.report import Report
from identities.forms.base import EditForm

LONGEST = 8192
KINDS = (("stream", "Stream"), ("service", "Service"))


class LineField(forms.CharField):
    """One line of text, such as a name: what other tools put into it that an input drops has not changed by that."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", LONGEST)
        super().__init__(**kwargs)
        self.widget.attrs.update({"spellcheck": "false", "autocomplete": "off"})

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text differs; line ends and blanks around it don't count."""
        return self._line(initial) != self._line(data)

    def _line(self, text: Any) -> str:
        return "".join(str(text or "").splitlines()).strip()


class SubjectField(LineField):
    """One subject."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs["class"] = "mono"


class AccountField(LineField):
    """An account by its name or public key, with suggestions (`identities/exports/with_accounts.html`)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs["list"] = "accounts"


class EntryForm(EditForm):
    """A form over the entry at `index` of the list `entries` (a JSON path), which people call a `noun`."""

    entries: ClassVar[str]
    noun: ClassVar[str]

    def __init__(self, *args: Any, index: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.index = index

    def field_of(self, path: str) -> str:
        """The field of a JSON path; none for a path of another entry."""
        return "" if self._of_another(path) else super().field_of(path)

    def place_issues(self, report: Report) -> None:
        """Put each error on its field; what is wrong with another entry is said to be."""
        super().place_issues(
            Report.of(
                replace(issue, message=f"Another {self.noun}: {issue.message}")
                if self._of_another(issue.path)
                else issue
                for issue in report
            )
        )

    def _of_another(self, path: str) -> bool:
        return path.startswith(f"{self.entries}[") and not path.startswith(f"{self.entries}[{self.index}]")


def choices_with(held: str, choices: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Choices, with a value that some other tool has written at their end."""
    known = [value for value, _ in choices]
    return [*choices, *([(held, f"{held} (unknown to nats-server)")] if held not in known else [])]
