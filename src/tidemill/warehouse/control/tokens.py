"""Tokens of the HTTP doors: who may do what. Only their SHA-256 is kept; the text is shown once.

A token is 256 random bits, so that a plain hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemill.core.errors import ExistsError, NotFoundError, SettingsError
from tidemill.core.names import did_you_mean
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, time_text, writing

ROLES: dict[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "predict": frozenset({"read", "predict"}),
    "label": frozenset({"read", "label"}),
    "deploy": frozenset({"read", "predict", "label", "deploy"}),
    "admin": frozenset({"read", "predict", "label", "deploy", "admin"}),
}
"""Roles, and the permissions each has."""

PREFIX = "tm_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept."""

    name: str
    role: str
    sha256: str
    created_by: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_token() -> str:
    """A fresh token's text."""
    return PREFIX + secrets.token_urlsafe(32)


def token_digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def create_token(
    db: Database | Tx, name: str, role: str, *, who: str, text: str | None = None, days: float | None = None
) -> str:
    """Keep a new token; returns its text, which nobody can read again.

    Raises
    ------
    SettingsError
        There is no such role.
    ExistsError
        The name is taken, also by a token that was revoked: names stand in the log.
    """
    check_role(role)
    text = text or new_token()
    with writing(db) as tx:
        if tx.value("SELECT 1 FROM tokens WHERE name = :name", name=name):
            raise ExistsError(f"there is a token {name} already", hint="choose another name")
        now = tx.clock.now()
        tx.execute(
            "INSERT INTO tokens (name, role, sha256, created_by, created_at, expires_at)"
            " VALUES (:name, :role, :sha256, :who, :now, :expires)",
            name=name,
            role=role,
            sha256=token_digest(text),
            who=who,
            now=time_text(now),
            expires=None if days is None else time_text(now + timedelta(days=days)),
        )
        audit.append(tx, who=who, action="create token", object=f"token {name}", evidence={"role": role, "days": days})
    return text


def revoke_token(db: Database | Tx, name: str, *, who: str, why: str = "") -> None:
    """Make a token worthless.

    Raises
    ------
    NotFoundError
        There is no such token.
    """
    with writing(db) as tx:
        known = [row["name"] for row in tx.rows("SELECT name FROM tokens WHERE revoked_at IS NULL")]
        if name not in known:
            raise NotFoundError(f"there is no token {name}", hint=did_you_mean(name, known))
        tx.execute("UPDATE tokens SET revoked_at = :now WHERE name = :name", now=tx.now(), name=name)
        audit.append(tx, who=who, action="revoke token", object=f"token {name}", why=why)


def list_tokens(db: Database | Tx) -> list[Token]:
    """Every token, revoked ones too, in the order they were made."""
    with reading(db) as tx:
        found = tx.rows("SELECT * FROM tokens ORDER BY created_at, name")
    return [_token(row) for row in found]


def read_token_lines(lines: Iterable[str], *, file: str) -> list[Token]:
    """Tokens of a text: a line each with name, role and SHA-256, as a mounted secret holds them.

    Raises
    ------
    SettingsError
        A line is something else.
    """
    tokens = []
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) != 3 or len(parts[2]) != 64:
            raise SettingsError(f"{file}, line {number}: a token is a line of name, role and SHA-256 in hexadecimal")
        check_role(parts[1])
        tokens.append(Token(name=parts[0], role=parts[1], sha256=parts[2].lower()))
    return tokens


def check_role(role: str) -> None:
    """Refuse a role that does not exist."""
    if role not in ROLES:
        raise SettingsError(f"there is no role {role}", hint=did_you_mean(role, ROLES))


def _token(row: Row) -> Token:
    times = {
        name: None if row[name] is None else parse_time(row[name])
        for name in ("created_at", "expires_at", "revoked_at")
    }
    return Token(name=row["name"], role=row["role"], sha256=row["sha256"], created_by=row["created_by"], **times)
