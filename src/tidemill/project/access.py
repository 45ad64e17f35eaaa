"""Who may ask over HTTP, and who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.who import current_user
from tidemill.project.opened import Opened

if TYPE_CHECKING:
    from tidemill.warehouse.control.audit import AuditRow
    from tidemill.warehouse.control.tokens import Token


class Access(Opened):
    """Who may use a project over HTTP, and the trail of what was done."""

    def tokens(self) -> list[Token]:
        """Every token of the HTTP doors."""
        from tidemill.warehouse.control.tokens import list_tokens

        return list_tokens(self.db)

    def create_token(self, name: str, role: str, *, who: str = "", days: float | None = None) -> str:
        """Make a token; its text is given back once and kept nowhere."""
        from tidemill.warehouse.control.tokens import create_token

        return create_token(self.db, name, role, who=who or current_user(), days=days)

    def revoke_token(self, name: str, *, who: str = "", why: str = "") -> None:
        """Make a token worthless."""
        from tidemill.warehouse.control.tokens import revoke_token

        revoke_token(self.db, name, who=who or current_user(), why=why)

    def audit(self) -> list[AuditRow]:
        """Every change of state, oldest first."""
        from tidemill.warehouse.control.audit import rows

        return rows(self.db)

    def verify_audit(self, *, head: str = "") -> list[str]:
        """What is wrong with the audit trail, in sentences; ``head`` is a hash that must be in it."""
        from tidemill.warehouse.control.audit import verify

        return verify(self.db, head=head)
