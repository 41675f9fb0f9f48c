"""Small marks that rows repeat: icons, key chips, states, times. Tags, not includes, as a list has thousands."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Protocol

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from identities import lookup
from identities.policy import decisions
from identities.policy.routes import ROUTES

register = template.Library()
_TICKED = re.compile(r"`([^`\n]{1,80})`")


class Chip(Protocol):
    """A public key to show: `short` to read, `full` to copy."""

    short: str
    full: str
    name: str


class State(Protocol):
    """A state in words; `tone` is ok, warn, danger or muted."""

    word: str
    tone: str
    icon: str
    title: str


class When(Protocol):
    """A point in time: `text` for people, `iso` for machines, both "" for never."""

    text: str
    iso: str


@cache
def _sprite() -> str:
    return static("icons/sprite.svg")


@register.simple_tag
@lru_cache(1024)  # a list prints the same few icons and states over and over
def icon(name: str, css: str = "") -> SafeString:
    """The icon `name` of the sprite (lucide's names); decoration only, so a word stands beside it."""
    classes = f"icon {css}" if css else "icon"
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        classes,
        _sprite(),
        name,
    )


@register.simple_tag(takes_context=True)
def may_open(context: template.Context, route: str, *, whole: bool = False) -> bool:
    """Whether the reader holds a role that opens `route` somewhere, or on the whole installation; asks no database."""
    request: Any = context.get("request")
    action = ROUTES[route].action
    if request is None or action is None:
        return True
    principal = lookup.principal_for(request)
    found = decisions.decide(principal, action) if whole else decisions.decide_somewhere(principal, action)
    return isinstance(found, decisions.Allowed)


@register.simple_tag(takes_context=True)
def nav_link(
    context: template.Context, route: str, icon_name: str, label: str, *, whole: bool = False
) -> SafeString:
    """An entry of the sidebar, marked when the page is in its section (`nav`); nothing for who may not open it."""
    if not may_open(context, route, whole=whole):
        return SafeString("")
    here = SafeString(' aria-current="page"') if context.get("nav") == route else ""
    return format_html('<li><a href="{}"{}>{}{}</a></li>', reverse(route), here, icon(icon_name), label)


@register.simple_tag
def chip(key: Chip | None) -> SafeString:
    """A public key: short, copied by a button, whole in `title`; nothing for none."""
    if not key or not key.full:
        return SafeString("")
    name = format_html('<span class="chip-name">{}</span>', key.name) if key.name else ""
    return format_html(
        '<span class="chip">{}<code class="chip-key" title="{}">{}</code>'
        '<button type="button" class="chip-copy" data-copy="{}" aria-label="Copy key {}">{}</button></span>',
        name,
        key.full,
        key.short,
        key.full,
        key.short,
        icon("copy"),
    )


@register.simple_tag
def state(shown: State | None) -> SafeString:
    """A state as icon and word, never colour alone; nothing for none."""
    return _state(shown.word, shown.tone, shown.icon, shown.title) if shown else SafeString("")


@lru_cache(1024)
def _state(word: str, tone: str, icon_name: str, said: str) -> SafeString:
    title = format_html(' title="{}"', said) if said else ""
    return format_html('<span class="state {}"{}>{}{}</span>', tone, title, icon(icon_name), word)


@register.simple_tag
def when(at: When | None, never: str = "never", *, relative: bool = True) -> SafeString:
    """A point in time; the browser adds "3 minutes ago". `never` stands for none."""
    if not at or not at.text:
        return format_html('<span class="muted">{}</span>', never)
    if not at.iso:
        return format_html("<span>{}</span>", at.text)
    mark = SafeString(" data-relative") if relative else ""
    return format_html('<time datetime="{}" title="{}"{}>{}</time>', at.iso, at.text, mark, at.text)


@register.filter
def ticks(text: str) -> SafeString:
    """A message in which `code` stands between backticks, as Go's messages and the texts of settings have it."""
    escaped = conditional_escape(text)
    return SafeString(_TICKED.sub(r"<code>\1</code>", escaped))  # nosec B703 - escaped the line above
