"""What our rule adds to sqlglot's trees: calls of ML functions, their arguments, and SQL that stays as it is."""

from __future__ import annotations

from typing import cast

from sqlglot import exp  # noqa: TID253


class MLArg(exp.Expression):
    """One argument of an `MLCall`.

    ``kind`` is model, table, query, connection, struct, value or named. ``this`` is the dotted name (model,
    connection), the `exp.Table` (table), the query, the `exp.Struct` or the expression; ``name`` and an inner
    `MLArg` for a named one. ``version`` is a model's. ``meta`` holds ``start`` and ``stop``, offsets into the text;
    for a model also ``name_start`` and ``name_stop``.
    """

    arg_types = {"kind": True, "this": True, "label": False, "version": False}  # noqa: RUF012

    @property
    def kind(self) -> str:
        """What the argument is."""
        return cast("str", self.args["kind"])

    @property
    def label(self) -> str:
        """The name before ``=>``, lower-case; '' for a positional argument."""
        return cast("str", self.args.get("label") or "")

    @property
    def version(self) -> int | str | None:
        """The version of a model that is read, by number or alias; None for the newest."""
        return cast("int | str | None", self.args.get("version"))


class MLCall(exp.Expression, exp.Func):
    """A call of an ML table function: ``this`` is its canonical name, ``expressions`` its `MLArg`s in order.

    ``meta`` holds the `Text` it was written in, and its offsets: ``start`` and ``name_stop`` of the name, ``stop``.
    """

    arg_types = {"this": True, "expressions": False}  # noqa: RUF012
    is_var_len_args = True

    @property
    def function(self) -> str:
        """Canonical name, ``ML.PREDICT``."""
        return cast("str", self.args["this"])

    @property
    def arguments(self) -> list[MLArg]:
        """All arguments, in order."""
        return cast("list[MLArg]", self.expressions)

    @property
    def model(self) -> str:
        """The model's dotted name, or ''."""
        return next((str(arg.this) for arg in self.arguments if arg.kind == "model"), "")

    @property
    def version(self) -> int | str | None:
        """The model's version, or None for the newest."""
        return next((arg.version for arg in self.arguments if arg.kind == "model"), None)


class RawSQL(exp.Expression):
    """Engine SQL that goes into generated SQL as it is."""

    arg_types = {"this": True}  # noqa: RUF012
