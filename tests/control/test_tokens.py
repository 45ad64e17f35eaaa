"""Tokens: shown once, kept as a digest, worth nothing once revoked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidemill.core.errors import ExistsError, NotFoundError, SettingsError
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.tokens import (
    ROLES,
    create_token,
    list_tokens,
    read_token_lines,
    revoke_token,
    token_digest,
)


def test_the_text_of_a_token_is_kept_nowhere(db: Database) -> None:
    text = create_token(db, "shop", "predict", who="ann")

    with db.read() as tx:
        rows = [str(row) for table in ("tokens", "audit") for row in tx.rows(f"SELECT * FROM {table}")]
    assert text.startswith("tm_")
    assert not any(text in row for row in rows)
    assert list_tokens(db)[0].sha256 == token_digest(text)


def test_a_name_is_used_once_also_after_it_was_revoked(db: Database) -> None:
    create_token(db, "shop", "predict", who="ann")
    revoke_token(db, "shop", who="ann")

    with pytest.raises(ExistsError):
        create_token(db, "shop", "predict", who="ann")


def test_revoked_and_expired_tokens_are_not_valid(db: Database) -> None:
    create_token(db, "old", "read", who="ann", days=-1)
    create_token(db, "gone", "read", who="ann")
    create_token(db, "good", "read", who="ann", days=1)
    revoke_token(db, "gone", who="ann")

    valid = [token.name for token in list_tokens(db) if token.valid(datetime.now(UTC))]

    assert valid == ["good"]


def test_making_and_revoking_leave_a_trail(db: Database) -> None:
    create_token(db, "shop", "admin", who="ann")
    revoke_token(db, "shop", who="bob", why="leaked")

    assert [(row.who, row.action, row.object, row.why) for row in audit.rows(db)] == [
        ("ann", "create token", "token shop", ""),
        ("bob", "revoke token", "token shop", "leaked"),
    ]


def test_unknown_roles_and_tokens_get_a_suggestion(db: Database) -> None:
    create_token(db, "shop", "read", who="ann")

    with pytest.raises(SettingsError) as role:
        create_token(db, "other", "predictt", who="ann")
    with pytest.raises(NotFoundError) as token:
        revoke_token(db, "shopp", who="ann")

    assert role.value.hint == "did you mean predict?"
    assert token.value.hint == "did you mean shop?"


def test_a_mounted_secret_is_read_line_by_line() -> None:
    digest = token_digest("tm_x")

    tokens = read_token_lines([f"shop predict {digest}\n", "\n", "# none\n"], file="tokens")

    assert [(token.name, token.role, token.sha256) for token in tokens] == [("shop", "predict", digest)]
    with pytest.raises(SettingsError, match="tokens, line 1"):
        read_token_lines(["shop predict tm_plain_text"], file="tokens")


def test_every_role_may_read_and_only_admin_may_all() -> None:
    assert all("read" in permissions for permissions in ROLES.values())
    assert [role for role, permissions in ROLES.items() if permissions == ROLES["admin"]] == ["admin"]
