"""The rules of jwt/v2 for the exports of an account (`exports.go Validate`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from identities.claims.exports import Export, ServiceLatency
from identities.claims.subjects import has_wildcards, is_contained_in
from identities.claims.validate_findings import Findings, check_info
from identities.claims.validate_text import quote

RESPONSE_TYPES = ("Singleton", "Stream", "Chunked")


def validate_exports(found: Findings, exports: Sequence[Export | None]) -> None:
    """Each export, then whether one subject contains another of the same kind."""
    services: list[tuple[str, str]] = []
    streams: list[tuple[str, str]] = []
    for index, export in enumerate(exports):
        path = f"nats.exports[{index}]"
        if export is None:
            found.error(path, "null export is not allowed")
            continue
        (services if export.type == "service" else streams).append((f"{path}.subject", export.subject))
        _validate_export(found, path, export)
    _check_overlaps(found, "service", services)
    _check_overlaps(found, "stream", streams)


def _validate_export(found: Findings, path: str, export: Export) -> None:
    if export.type == "service":
        if export.response_type and export.response_type not in RESPONSE_TYPES:
            message = f"invalid response type for service: {quote(export.response_type)}"
            found.error(f"{path}.response_type", message)
    elif export.type == "stream":
        _check_stream(found, path, export)
    else:
        found.error(f"{path}.type", 'invalid export type: "unknown"')
    if export.service_latency is not None:
        if export.type != "service":
            found.error(f"{path}.service_latency", "latency tracking only permitted for services")
        _check_latency(found, f"{path}.service_latency", export.service_latency)
    if export.response_threshold < 0:
        found.error(f"{path}.response_threshold", "negative response threshold is invalid")
    if export.response_threshold > 0 and export.type != "service":
        found.error(f"{path}.response_threshold", "response threshold only valid for services")
    found.subject(f"{path}.subject", export.subject)
    if problem := export.account_token_position > 0 and _position_problem(export):
        found.error(f"{path}.account_token_position", problem)
    check_info(found, path, export.description, export.info_url)


def _check_stream(found: Findings, path: str, export: Export) -> None:
    if export.response_type:
        message = f"invalid response type for stream: {quote(export.response_type)}"
        found.error(f"{path}.response_type", message)
    if export.allow_trace:
        found.error(f"{path}.allow_trace", "AllowTrace only valid for service export")


def _check_latency(found: Findings, path: str, latency: ServiceLatency) -> None:
    if latency.sampling != 0 and not 1 <= latency.sampling <= 100:
        found.error(f"{path}.sampling", "sampling percentage needs to be between 1-100")
    found.subject(f"{path}.results", latency.results)
    if has_wildcards(latency.results):
        found.error(f"{path}.results", "results subject can not contain wildcards")


def _position_problem(export: Export) -> str:
    subject, position = export.subject, export.account_token_position
    if not has_wildcards(subject):
        return f"Account Token Position can only be used with wildcard subjects: {subject}"
    parts = subject.split(".")
    if position > len(parts):
        return f"Account Token Position {position} exceeds length of subject '{subject}'"
    at_position = parts[position - 1]
    if at_position != "*":
        return f"Account Token Position {position} matches '{at_position}' but must match a * in: {subject}"
    return ""


def _check_overlaps(found: Findings, kind: str, subjects: Sequence[tuple[str, str]]) -> None:
    """One issue per exported subject that contains another of the same kind, naming the first one that it contains.

    Go compares all pairs and reports in random order (a map); here only wildcard subjects are compared with all.
    """
    if len(subjects) < 2:
        return
    counts = Counter(subject for _, subject in subjects)
    wide = {subject for subject in counts if "*" in subject or ">" in subject}
    contained: dict[str, str] = {}
    for _, subject in subjects:
        if counts[subject] > 1:
            contained.setdefault(subject, subject)
        for other in wide:
            if other != subject and other not in contained and is_contained_in(subject, other):
                contained[other] = subject
    if contained:
        for path, subject in subjects:
            if (inner := contained.pop(subject, None)) is not None:
                found.error(path, f"{kind} export subject {quote(subject)} already exports {quote(inner)}")
