"""Secrets: where they may come from, and how they are kept out of what is shown.

They come from the environment (``${NAME}`` in a setting) or from a file that only its owner can read. They are read
when they are used, and stand in no object that lives longer.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from tidemill.core.errors import SettingsError, Where

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
HIDDEN = "..."

# What connection strings of every kind call a password.
_VALUE = r"""('[^']*'|"[^"]*"|[^\s;&,'"]+)"""
_GIVEN = re.compile(rf"\b((?:ssl)?(?:password|passwd|pwd)|secret|session_token)(\s*[=:]\s*){_VALUE}", re.IGNORECASE)
_IN_URL = re.compile(r"(\b[a-z][a-z0-9+]*://[^\s:/@]*:)[^\s@/]+(@)", re.I)

_TOKENS = frozenset(
    {"access_token", "api_key", "apikey", "auth", "password", "passwd", "pwd", "secret", "sig", "signature", "token"}
)
_SIGNED = ("x-amz-", "x-goog-")
"""What addresses call what lets their reader in."""


def is_variable(text: str) -> bool:
    """Whether a setting is nothing but variables: no part of it stands in the file."""
    return bool(text) and not VARIABLE.sub("", text)


def expand(text: str, setting: str, environment: Mapping[str, str]) -> str:
    """A setting with its variables put in.

    Raises
    ------
    SettingsError
        A variable is not set.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in environment:
            raise SettingsError(
                f"{setting} takes ${{{name}}}, and there is no such variable in the environment",
                hint=f"export {name}=... and run again",
                variable=name,
            )
        return environment[name]

    return VARIABLE.sub(value, text)


def read_secret_file(path: Path, setting: str) -> str:
    """The first line of a file that only its owner can read.

    Raises
    ------
    SettingsError
        The file is not there, is empty, or can be read by others.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise SettingsError(
                f"{setting}: {path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}", file=str(path)
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{setting}: {path} cannot be read: {said}", file=str(path)) from None
    secret = text.splitlines()[0].strip() if text.strip() else ""
    if not secret:
        raise SettingsError(f"{setting}: {path} is empty", file=str(path))
    return secret


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets: those given, and what stands where connection strings have a password."""
    for secret in sorted({form for one in secrets if one for form in _forms(one)}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _GIVEN.sub(lambda found: f"{found.group(1)}{found.group(2)}{HIDDEN}", text)
    return _IN_URL.sub(rf"\1{HIDDEN}\2", text)


def secret_in_url(url: str) -> str:
    """What of an address lets in whoever has it: '' where nothing does."""
    rest = url.partition("://")[2]
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        return "a user or a password"
    # Whoever has the address of a Slack hook can write to the channel.
    if rest.lower().startswith("hooks.slack.com/"):
        return "the address of a Slack hook"
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    given = parse_qsl(f"{parts.query}&{parts.fragment.rpartition('?')[2]}")
    secret = [name for name, _ in given if name.lower() in _TOKENS or name.lower().startswith(_SIGNED)]
    return f"a secret ({secret[0]})" if secret else ""


def hidden_place(where: Where | None) -> Where | None:
    """A line of settings without what it sets: a secret that was refused is not shown either."""
    if where is None or "=" not in where.text:
        return where
    return replace(where, text=f"{where.text.partition('=')[0]}= {HIDDEN}")


def _forms(secret: str) -> set[str]:
    """A secret as it may be written: in a URL, in quotes."""
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    return {secret, quote(secret, safe=""), quote_plus(secret), escaped, secret.replace("'", "''")}
