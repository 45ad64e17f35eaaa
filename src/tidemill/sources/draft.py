"""The SQL a person would have written for a file: a checked table, and a model of one of its columns."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from tidemill.core.names import quote_text
from tidemill.core.words import class_text
from tidemill.sources.choose import Choice, Feature
from tidemill.sources.sniff import FEW, ColumnProfile, TableProfile, looks_like_identifier, plain_name, sql_name

WIDTH = 110
SMALL = 500  # rows under which BigQuery ML keeps none aside, and a linear model is hard to beat
LARGE = 10_000
VAGUE_TABLES = (
    "data|dataset|day|export|file|hour|index|input|month|output|part|raw|result|rows|sample|table|test|time|train"
    "|training|values|year"
)
VAGUE_LABELS = r"class|label|outcome|output|result|target|value|y|column_?\d+"
RANGES = {
    r"month|mnth": (1, 12),
    r"day|day_of_month": (1, 31),
    r"hour|hr": (0, 23),
    r"minute": (0, 59),
    r"weekday|dayofweek|day_of_week|wday": (0, 6),
}
# Quantities that may fall below zero, even when none in the file does.
SIGNED = (
    r"(?:^|_|[a-z])(?:temp|temperature|lat|latitude|lon|lng|longitude|delta|diff|change|balance|profit|margin)"
    r"(?:$|_|[A-Z])"
)
YEARS = r"year|yr|.*_year|year_.*"


def name_table(file_stem: str, project: str) -> str:
    """A table's name after its file, and after the project too when the file's name says nothing."""
    name = plain_name(file_stem)
    folder = plain_name(project) or "project"
    if not name:
        return f"{folder}_data"
    if not re.fullmatch(VAGUE_TABLES, name):
        return name
    return folder if name in folder.split("_") else f"{folder}_{name}"


def name_model(label: str, table: str, project: str) -> str:
    """A model's name after its label, or after the project; never the table's."""
    own, folder = plain_name(label), plain_name(project)
    wanted = [own] if own and not re.fullmatch(VAGUE_LABELS, own) else []
    wanted += [folder] if folder and not re.fullmatch(r"(?:tmp|test|project|n_.*)", folder) else []
    wanted += [f"{own or 'label'}_model"]
    return next(name for name in wanted if name != table)


def draft_table(table: TableProfile, *, name: str, path: str, label: str = "") -> str:
    """The statement that makes the table: types, constraints that hold today, and what was mended."""
    size = f"{_count(table.rows, 'row')}, {_count(len(table.columns), 'column')}"
    lines = [
        f"-- {table.scan.name} as a checked table: {size}.",
        *_comment("Every check below holds on the file as it is. New rows that break one are not published:"
                  " the last good version stays. A check that is NOT ENFORCED warns."),
        *(line for note in table.scan.notes for line in _comment(f"Note: {note}.")),
    ]  # fmt: skip
    lines += [f"CREATE TABLE {sql_name(name)} (", *_column_lines(table, label)]
    bad = table.scan.bad_count
    lines += [")", f"OPTIONS (max_bad_rows = {bad})  -- those of the file as it is", "AS"] if bad else [") AS"]
    lines += _select(table, path)
    return "\n".join(lines) + "\n"


def _column_lines(table: TableProfile, label: str) -> list[str]:
    names = [sql_name(column.name) for column in table.columns]
    pad_name = min(36, max(map(len, names)))
    pad_type = min(26, max(len(column.type) for column in table.columns))
    key = find_key(table)
    lines = []
    for number, (column, shown) in enumerate(zip(table.columns, names, strict=True), start=1):
        rules = constraints(column, is_key=column is key, is_label=column.name == label)
        comma = "," if number < len(names) or table.pair else ""
        note = (
            f"  -- {_count(column.nulls, 'row')} {'has' if column.nulls == 1 else 'have'} none" if column.nulls else ""
        )
        head = f"  {shown:<{pad_name}} {column.type:<{pad_type}}"
        flat = " ".join([head, *rules]).rstrip() + comma
        if len(flat) <= WIDTH:
            lines.append(f"{flat}{note}")
            continue
        lines.append(" ".join([head, *rules[:-1]]).rstrip() + note)
        lines += [f"    {line}" for line in (rules[-1] + comma).split("\n")]
    if table.pair:
        lines.append(f"  PRIMARY KEY ({', '.join(map(sql_name, table.pair))})")
    return lines


def find_key(table: TableProfile) -> ColumnProfile | None:
    """The column that tells the rows apart."""
    unique = [column for column in table.columns if column.is_unique and table.rows >= 2]
    for test in (looks_like_identifier, _counts, _is_short_word):
        found = next((column for column in unique if test(column)), None)
        if found is not None:
            return found
    return None


def _counts(column: ColumnProfile) -> bool:
    return column.is_counter and column.rows >= 20  # 1, 2, 3, 4 may be an amount


def _is_short_word(column: ColumnProfile) -> bool:
    return column.kind == "text" and column.words < 0.5 and column.width <= 40 and column.rows >= 20


def constraints(column: ColumnProfile, *, is_key: bool, is_label: bool) -> list[str]:
    """What holds of a column, as SQL constraints."""
    rules = []
    if is_key:
        rules.append("PRIMARY KEY")
    elif column.rows and not column.nulls:
        rules.append("NOT NULL")
        if column.is_unique and looks_like_identifier(column):
            rules.append("UNIQUE")
    check = _check(column, is_label=is_label)
    return [*rules, check] if check else rules


def _check(column: ColumnProfile, *, is_label: bool) -> str:
    name = sql_name(column.name)
    enough = column.rows >= 20 * column.distinct
    warns = "" if is_label else " NOT ENFORCED"
    if column.kind == "text" and 2 <= column.distinct <= FEW and enough and column.width <= 40:
        return f"CHECK ({name} IN ({_listed(column)})){warns}"
    if column.kind != "number" or column.low is None or re.fullmatch(YEARS, column.name, re.IGNORECASE):
        return ""
    return _number_check(column, name, is_label=is_label) if not math.isnan(column.low) else ""


def _number_check(column: ColumnProfile, name: str, *, is_label: bool) -> str:
    for pattern, (low, high) in RANGES.items():
        if re.fullmatch(pattern, column.name, re.IGNORECASE) and low <= column.low and column.high <= high:
            return f"CHECK ({name} BETWEEN {low} AND {high})"
    low, high = column.low, column.high
    many = column.rows >= 20 * column.distinct
    if column.is_whole and many and 2 <= column.distinct <= FEW:
        if is_label or (low, high) == (0, 1):
            return f"CHECK ({name} IN ({_listed(column)}))"
        if column.distinct > 2 and high - low + 1 == column.distinct:
            return f"CHECK ({name} BETWEEN {low} AND {high}) NOT ENFORCED"
    if not column.is_whole and low >= 0 and 0.5 <= high <= 1:
        return f"CHECK ({name} BETWEEN 0 AND 1) NOT ENFORCED"
    signed = re.search(SIGNED, column.name, re.IGNORECASE) is not None
    free = low < 0 or signed or column.is_counter or looks_like_identifier(column)
    return "" if free else f"CHECK ({name} >= 0)"


def _listed(column: ColumnProfile) -> str:
    """The values, on lines of their own when there are many; never broken inside one."""
    values = [_literal(value) for value, _ in column.values]
    if sum(len(value) + 2 for value in values) <= WIDTH - 30 - len(column.name):
        return ", ".join(values)
    lines = [""]
    for value in values:
        if len(lines[-1]) + len(value) > WIDTH - 10:
            lines.append("")
        lines[-1] += f"{value}, "
    return "\n  " + "\n  ".join(line.rstrip() for line in lines).rstrip(",") + "\n"


def _literal(value: Any) -> str:
    return (
        quote_text(value) if isinstance(value, str) else str(value).upper() if isinstance(value, bool) else str(value)
    )


def _select(table: TableProfile, path: str) -> list[str]:
    source = table.scan.sql(path).split("\n")
    tail = [f"FROM {source[0]}", *source[1:]]
    tail[-1] += ";"
    renamed = any(column.source != column.name for column in table.columns)
    mended = [column for column in table.columns if column.expression]
    if not renamed and not mended:
        return ["SELECT *", *tail]
    if not renamed:
        items = [(f"{column.expression} AS {sql_name(column.name)}", column.note) for column in mended]
        return ["SELECT * REPLACE (", *_items(items), ")", *tail]
    items = [
        (_renamed(column), column.note) for column in table.columns
    ]  # fmt: skip
    return ["SELECT", *_items(items), *tail]


def _renamed(column: ColumnProfile) -> str:
    made = column.expression or sql_name(column.source)
    return made if made == sql_name(column.name) else f"{made} AS {sql_name(column.name)}"


def _items(items: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    for number, (text, note) in enumerate(items, start=1):
        comma = "," if number < len(items) else ""
        line = f"  {text}{comma}"
        if note and len(line) + len(note) + 5 > WIDTH:
            lines += [*(f"  {part}" for part in _comment(note)), line]
        else:
            lines.append(f"{line}  -- {note}" if note else line)
    return lines


def draft_model(table: TableProfile, choice: Choice, *, name: str, table_name: str) -> str:
    """The statement that makes the model, with what it does not see and why."""
    lines = [*_comment(_about(choice))]
    for note in choice.notes:
        lines += _comment(f"Note: {note}.")
    if choice.left_out:
        lines += ["--", "-- Left out of the model:"]
        width = min(40, max(len(one.name) for one in choice.left_out))
        for one in choice.left_out:
            wrapped = textwrap.wrap(one.why, WIDTH - width - 8)
            lines.append(f"--   {one.name:<{width}}  {wrapped[0]}")
            lines += [f"--   {'':<{width}}  {more}" for more in wrapped[1:]]
    lines += [f"CREATE OR REPLACE MODEL {sql_name(name)}", "OPTIONS (", *_options(choice), ") AS", "SELECT"]
    items = [(_feature(feature), "") for feature in choice.features]
    order = table.column(choice.order) if choice.order else None
    if order is not None:
        shown = sql_name(order.name)
        # A sequential split goes by a number or a timestamp; a date is neither.
        made = f"CAST({shown} AS TIMESTAMP) AS {shown}" if order.kind == "date" else shown
        items.append((made, "only for the split"))
    items.append((sql_name(choice.label.name), ""))
    lines += _items(items)
    tail = f"FROM {sql_name(table_name)}"
    if choice.label.nulls:
        tail += f"\nWHERE {sql_name(choice.label.name)} IS NOT NULL"
        known = "rows have" if choice.label.nulls > 1 else "row has"
        return "\n".join([*lines, f"{tail};  -- {choice.label.nulls:,} {known} no answer to learn from"]) + "\n"
    return "\n".join([*lines, f"{tail};"]) + "\n"


def _feature(feature: Feature) -> str:
    return f"{feature.expression} AS {sql_name(feature.name)}" if feature.expression else sql_name(feature.name)


def _about(choice: Choice) -> str:
    label = choice.label
    known = label.rows - label.nulls
    if choice.task == "regression":
        return f"Predicts {label.name}, a number from {label.low:g} to {label.high:g}, from {_count(known, 'row')}."
    if label.distinct > FEW:
        return f"Predicts {label.name}, one of {label.distinct} classes, from {_count(known, 'row')}."
    shares = [f"{class_text(value)} ({100 * count / known:.1f} %)" for value, count in label.values]
    said = f"Predicts {label.name} from {_count(known, 'row')}: {', '.join(shares[:-1])} or {shares[-1]}."
    if choice.task == "binary":
        said += f" Precision and recall are about {class_text(label.values[-1][0])}, the higher value."
    elif label.kind == "number":
        said += " Few whole numbers are taken as classes; to predict an amount, use BOOSTED_TREE_REGRESSOR."
    return said


def _options(choice: Choice) -> list[str]:
    """The model's options: a linear model for few rows, else trees that take small steps."""
    rows = choice.label.rows - choice.label.nulls
    regression = choice.task == "regression"
    small = rows < SMALL
    kind = ("LINEAR_REG" if regression else "LOGISTIC_REG") if small else (
        "BOOSTED_TREE_REGRESSOR" if regression else "BOOSTED_TREE_CLASSIFIER"
    )  # fmt: skip
    items = [
        (f"model_type = '{kind}'", f"with {_count(rows, 'row')} a linear model is hard to beat" if small else ""),
        (f"input_label_cols = [{quote_text(choice.label.name)}]", ""),
    ]
    if not small:
        depth = 6 if rows >= LARGE else 4
        items += [
            ("max_iterations = 100", "more and smaller steps than the defaults (20 of 0.3), and all of them taken"),
            ("learn_rate = 0.1", ""),
            (f"max_tree_depth = {depth}", "shallower than the default 6: there are few rows" if depth < 6 else ""),
            ("early_stop = FALSE", ""),
        ]
    if choice.order:
        items += [
            ("data_split_method = 'SEQ'", "the file stands in the order of time: judge on its last fifth"),
            ("data_split_eval_fraction = 0.2", ""),
            (f"data_split_col = {quote_text(choice.order)}", ""),
        ]
    elif small:
        items += [
            ("data_split_method = 'RANDOM'", f"under {SMALL} rows none would be kept aside to judge the model on"),
            ("data_split_eval_fraction = 0.2", ""),
        ]
    return _items(items)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False, break_on_hyphens=False
    )
