"""A graded validation report, as jwt/v2 `validation.go` has it, with paths so that a form can place each issue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How bad an issue is: an error blocks, a time check blocks at connect, a warning informs."""

    ERROR = "error"
    WARNING = "warning"
    TIMECHECK = "timecheck"


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding: `path` is the JSON path of the value (`nats.limits.conn`, `nats.exports[2].subject`, "" for
    the whole), `message` the Go library's own words where the rule is the Go library's; `ours` where it is not."""

    grade: Grade
    path: str
    message: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one token, in the Go library's order."""

    issues: tuple[Issue, ...] = ()

    @classmethod
    def of(cls, issues: Iterable[Issue]) -> Report:
        """Collect issues in their order."""
        return cls(tuple(issues))

    def __iter__(self) -> Iterator[Issue]:
        return iter(self.issues)

    @property
    def blocking(self) -> bool:
        """Errors present, time checks left out (Go's `IsBlocking(false)`, what a resolver update asks)."""
        return any(issue.grade is Grade.ERROR for issue in self.issues)

    @property
    def blocking_with_time_checks(self) -> bool:
        """Errors or time checks present (Go's `IsBlocking(true)`, what a connecting user meets)."""
        return any(issue.grade is not Grade.WARNING for issue in self.issues)

    @property
    def of_go(self) -> Report:
        """What the Go library finds, without what only we do."""
        return Report(tuple(issue for issue in self.issues if not issue.ours))

    @property
    def errors(self) -> tuple[Issue, ...]:
        """What must be mended."""
        return tuple(issue for issue in self.issues if issue.grade is Grade.ERROR)

    @property
    def warnings(self) -> tuple[Issue, ...]:
        """What should be looked at."""
        return tuple(issue for issue in self.issues if issue.grade is Grade.WARNING)
