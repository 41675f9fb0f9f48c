"""Which names an operator, an account or a user may have, and which are dangerous in role templates."""

from __future__ import annotations

import re
import unicodedata

from identities.claims.errors import ClaimsError

MAX_NAME = 255

_INJECTING = re.compile(r"[.*>\s]")


class NameNotUsable(ClaimsError):
    """A name that nsc's store (one folder or file per name) cannot hold, or that nobody could tell apart."""

    code = "name-not-usable"


def check_name(text: str) -> str:
    r"""The name itself, when nsc and a database can hold it; it is never changed silently.

    Raises:
        NameNotUsable: empty, `.` or `..`, with `/` or `\`, blanks at an edge, control or invisible characters, or
            over 255 bytes (nsc names files by it: `nsc:cmd/store/store.go`; `..` escapes its folder, quirk 7).
    """
    problem = _problem(text)
    if problem:
        raise NameNotUsable(problem, field="name")
    return text


def _problem(text: str) -> str:
    if not text or not text.strip():
        return "A name is needed."
    if text in (".", ".."):
        return f"“{text}” means a folder to nsc and cannot be a name. Choose another name."
    if "/" in text or "\\" in text:
        return f"“{_shown(text)}” holds a slash, and nsc makes a file of each name. Use “-” or “_” instead."
    if text != text.strip():
        return f"“{_shown(text)}” begins or ends with a blank. Remove it."
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text):
        return "The name holds a character that cannot be seen. Type it anew."
    if len(text.encode()) > MAX_NAME:
        return f"The name is {len(text.encode())} bytes long; {MAX_NAME} are allowed. Shorten it."
    return ""


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def name_warnings(name: str, *, of_account: bool = False) -> list[str]:
    """What a name would do inside a role's template: `{{name()}}` pastes it raw into a subject (spec §3.9, §9.4)."""
    template = "{{account-name()}}" if of_account else "{{name()}}"
    return _injection(name, f"the name “{_shown(name)}”", template)


def tag_warnings(tag: str, *, of_account: bool = False) -> list[str]:
    """What the value of a `key:value` tag would do where a template says `{{tag(key)}}`; other tags are harmless."""
    key, colon, value = tag.partition(":")
    if not colon:
        return []
    operation = "account-tag" if of_account else "tag"
    return _injection(value, f"the tag “{_shown(tag)}”", f"{{{{{operation}({key})}}}}")


def _injection(value: str, what: str, template: str) -> list[str]:
    found = set(_INJECTING.findall(value))
    if not found:
        return []
    wild = found & {">", "*"}
    if wild:
        shown = " and ".join(f"`{character}`" for character in sorted(wild))
        return [
            f"{what} holds {shown}: a role whose template uses {template} would grant wildcard subjects by it"
        ]
    if "." in found:
        return [
            f"{what} holds `.`: where a role's template uses {template} it becomes several tokens of the subject"
        ]
    return [
        f"{what} holds a blank: a role whose template uses {template} would drop the subject or refuse the login"
    ]
