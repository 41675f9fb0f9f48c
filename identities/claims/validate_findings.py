"""The list that validators write to, and the checks of subjects and permissions that several of them share."""

from __future__ import annotations

from collections.abc import Sequence

from identities.claims.permissions import Permission, Permissions, UserPermissionLimits
from identities.claims.report import Grade, Issue
from identities.claims.subjects import validate_subject
from identities.claims.validate_text import quote
from identities.claims.validate_urls import UrlError, parse
from identities.claims.validate_values import is_cidr, is_time_of_day, zone_problem

MAX_INFO = 8 * 1024


class Findings:
    """Collects issues in order; each is put at the JSON path of the value that it is about."""

    __slots__ = ("issues",)

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def error(self, path: str, message: str) -> None:
        """Something that blocks."""
        self.issues.append(Issue(Grade.ERROR, path, message))

    def warning(self, path: str, message: str) -> None:
        """Something to know."""
        self.issues.append(Issue(Grade.WARNING, path, message))

    def time_check(self, path: str, message: str) -> None:
        """Something that blocks at this hour."""
        self.issues.append(Issue(Grade.TIMECHECK, path, message))

    def subject(self, path: str, subject: str) -> None:
        """Go's `Subject.Validate`."""
        for message in validate_subject(subject):
            self.error(path, message)


def check_permissions(found: Findings, path: str, permissions: Permissions | UserPermissionLimits) -> None:
    """Go's `Permissions.Validate`: subscribe rules first (they may name a queue), then publish rules."""
    sub, pub = permissions.sub, permissions.pub
    if sub.allow or sub.deny:
        _check_permission(found, f"{path}.sub", sub, queues=True)
    if pub.allow or pub.deny:
        _check_permission(found, f"{path}.pub", pub, queues=False)


def _check_permission(found: Findings, path: str, permission: Permission, *, queues: bool) -> None:
    _check_entries(found, f"{path}.allow", permission.allow, queues=queues)
    _check_entries(found, f"{path}.deny", permission.deny, queues=queues)


def _check_entries(found: Findings, path: str, entries: Sequence[str], *, queues: bool) -> None:
    for index, entry in enumerate(entries):
        if entry and " " not in entry and ".." not in entry and entry[0] != "." and entry[-1] != ".":
            continue  # nearly every entry
        _check_entry(found, f"{path}[{index}]", entry, queues=queues)


def _check_entry(found: Findings, path: str, entry: str, *, queues: bool) -> None:
    parts = entry.split(" ")
    if len(parts) > 2:
        found.error(path, f'Permission Subject "{entry}" contains too many spaces')
        return
    for part in parts:
        found.subject(path, part)
    if len(parts) == 2 and not queues:
        found.error(path, f'Permission Subject "{entry}" is not allowed to contain queue')


def check_limits(found: Findings, path: str, limits: UserPermissionLimits) -> None:
    """Go's `Limits.Validate`: networks, daily windows and their time zone; numbers are all valid."""
    for index, network in enumerate(limits.src):
        if not is_cidr(network):
            found.error(f"{path}.src[{index}]", f"invalid cidr {quote(network)} in user src limits")
    for index, window in enumerate(limits.times):
        _check_moment(found, f"{path}.times[{index}].start", "start", "a start", window.start)
        _check_moment(found, f"{path}.times[{index}].end", "end", "an end", window.end)
    if problem := limits.times_location and zone_problem(limits.times_location):
        found.error(f"{path}.times_location", f"could not parse iana time zone by name: {problem}")


def _check_moment(found: Findings, path: str, end: str, an_end: str, moment: str) -> None:
    if not moment:
        found.error(path, f"time ranges {end} must contain {an_end}")
    elif not is_time_of_day(moment):
        found.error(path, f"{end} in time range is invalid {quote(moment)}")


def check_info(found: Findings, path: str, description: str, info_url: str) -> None:
    """Go's `Info.Validate`, for accounts and exports; lengths are bytes."""
    if _too_long(description):
        found.error(f"{path}.description", "Description is too long")
    if not info_url:
        return
    if _too_long(info_url):
        found.error(f"{path}.info_url", "Info URL is too long")
    try:
        url = parse(info_url)
        problem = "" if url.hostname and url.scheme else "no hostname or scheme"
    except UrlError as error:
        problem = str(error)
    if problem:
        found.error(f"{path}.info_url", f"error parsing info url: {problem}")


def _too_long(text: str) -> bool:
    return len(text) > MAX_INFO // 4 and len(text.encode("utf-8", "surrogatepass")) > MAX_INFO
