"""Writes the generated pages of docs/reference: ``python -m tidemill.testing.reference [FOLDER]``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tidemill.contracts.anomalies import TFDV
from tidemill.contracts.expectations import GREAT_EXPECTATIONS
from tidemill.model_types.base import ModelType, Option
from tidemill.model_types.table import ALL_MODEL_TYPES
from tidemill.sql.column_options import COLUMN_OPTIONS
from tidemill.sql.functions import GROUPS, ML_FUNCTIONS
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.table_options import STORAGE_OPTIONS, TABLE_OPTIONS
from tidemill.sql.values import expected, show
from tidemill.testing.clean_page import cleaning_page
from tidemill.testing.pages import cli_page, errors_page, settings_page, system_tables_page

FOLDER = Path("docs/reference")

HEAD = """\
# BigQuery ML in Tidemill

<!-- Generated from the tables in the code. Write it anew with: make docs -->

What of [BigQuery ML](https://docs.cloud.google.com/bigquery/docs/bqml-introduction) this version of Tidemill has.
`tidemill lint --dialect bigquery FILE` says the same about statements of yours.

| status | meaning |
|---|---|
| supported | It works as BigQuery ML's page says. |
| partial | It is read and recorded, and has no effect; the reason says why. |
| rejected | Using it is an error, and the error says the reason given here. |

"""

STATEMENTS = (
    ("CREATE [OR REPLACE] MODEL [IF NOT EXISTS]", "supported", "with TRANSFORM, OPTIONS and AS query"),
    ("CREATE MODEL ... REMOTE", "rejected", "a remote model calls an endpoint on Google Cloud"),
    ("CREATE MODEL ... INPUT / OUTPUT", "rejected", "they describe remote and imported models"),
    (
        "CREATE MODEL ... AS (training_data AS ..., custom_holiday AS ...)",
        "rejected",
        ("custom_holiday belongs to forecasting models, which are not built yet; training_data alone is supported"),
    ),
    ("DROP MODEL [IF EXISTS]", "supported", "removes the model and all its versions"),
    ("ALTER MODEL ... SET OPTIONS", "rejected", "a model's options are in its CREATE MODEL: change them there"),
    ("EXPORT MODEL", "rejected", "not built yet; each version's ONNX file is kept under .tidemill/artifacts"),
    ("CREATE VECTOR INDEX", "rejected", "vector search is not built yet"),
    (
        "CREATE [OR REPLACE] TABLE / VIEW ... AS query",
        "supported",
        "PARTITION BY and CLUSTER BY order the rows as they are written; storage options are ignored (partial)",
    ),
    (
        "LOAD DATA [OVERWRITE / INTO] ... FROM FILES",
        "supported",
        ("CSV, JSON and Parquet files on this machine; others are rejected"),
    ),
    ("ASSERT expression AS message", "supported", "a run fails when it is not true"),
    (
        "SELECT ... FROM ML.F(...)",
        "supported",
        (
            "anywhere a table may stand, nested and in WITH; settings as STRUCT, "
            "DuckDB struct literal or name => value, before or after the data"
        ),
    ),
    (
        "INSERT INTO ... SELECT ... FROM ML.PREDICT(...)",
        "supported",
        ("typed, never in a project's files: each one adds its rows; tidemill.scoring_jobs has each"),
    ),
    (
        "other INSERT, UPDATE, DELETE, MERGE, scripting, CREATE FUNCTION",
        "rejected",
        ("a project is a set of statements that each make one thing"),
    ),
)


def reference_page() -> str:
    """The whole page."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield HEAD
    yield _counts()
    yield "## Statements\n\n| statement | status | notes |\n|---|---|---|\n"
    for statement, status, notes in STATEMENTS:
        yield _row(f"`{statement}`", status, notes)
    yield "\n## Model types\n\n| MODEL_TYPE | status | what it is, and why not |\n|---|---|---|\n"
    for row in ALL_MODEL_TYPES:
        yield _row(f"[{row.name}]({row.url})", row.status, " ".join(filter(None, (row.doc, row.reason))))
    for row in ALL_MODEL_TYPES:
        yield from _model_type(row)
    yield "\n## Functions\n"
    for group, functions in GROUPS.items():
        yield f"\n### {group}\n\n| function | kind | status | what it does | returns | notes |\n"
        yield "|---|---|---|---|---|---|\n"
        for function in functions:
            yield _function(function)
        yield from _settings(functions)


def _counts() -> str:
    types = [row.status for row in ALL_MODEL_TYPES]
    functions = [row.status for rows in GROUPS.values() for row in rows]
    return (
        f"Built in this version: {types.count('supported')} of {len(types)} model types, "
        f"{len(functions) - functions.count('rejected')} of {len(functions)} functions.\n\n"
    )


def _model_type(row: ModelType) -> Iterator[str]:
    yield f"\n### {row.name}\n\n{row.doc}"
    if row.status == "rejected":
        yield f" **Rejected**: {row.reason}\n\n"
        yield f"Options in BigQuery ML: {', '.join(f'`{option.name}`' for option in row.options)}.\n"
    else:
        yield "\n\n| option | takes | default | status | what it does |\n|---|---|---|---|---|\n"
        for option in sorted(row.options, key=lambda option: option.name):
            yield _option(option)
        yield from _rules(row)
    built = sorted(name for name in row.functions if ML_FUNCTIONS[name].status != "rejected")
    if row.status != "rejected":
        yield f"\nFunctions: {', '.join(f'`{name}`' for name in built)}.\n"


def _rules(row: ModelType) -> Iterator[str]:
    if not row.rules:
        return
    yield "\n"
    for rule in row.rules:
        yield f"- {_sentence(rule.message)}" + (f" Try: {rule.hint}." if rule.hint else "") + "\n"


def _option(option: Option) -> str:
    name = f"`{option.name}`" + "".join(f" (also `{alias}`)" for alias in option.aliases)
    doc = " ".join(filter(None, (option.doc, _sentence(option.reason) if option.reason else "")))
    return _row(name, _cell(expected(option)), _default(option), option.status, doc)


def _default(option: Option) -> str:
    return "required" if option.required else "" if option.default is None else f"`{show(option.default)}`"


def _function(function: MLFunction) -> str:
    name = f"[{function.name}]({function.url})"
    return _row(name, function.kind, function.status, function.doc, function.output, function.reason)


def _settings(functions: Sequence[MLFunction]) -> Iterator[str]:
    built = [function for function in functions if function.status != "rejected" and function.settings]
    if not built:
        return
    yield "\nSettings:\n\n| function | setting | takes | default | status | what it does |\n|---|---|---|---|---|---|\n"
    for function in built:
        for setting in function.settings:
            doc = " ".join(filter(None, (setting.doc, _sentence(setting.reason) if setting.reason else "")))
            name = f"`{setting.name}`"
            yield _row(function.name, name, _cell(expected(setting)), _default(setting), setting.status, doc)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _row(*cells: str) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |\n"


def _cell(text: str) -> str:
    return text.replace("\\|", "|").replace("|", "\\|").replace("\n", " ")


def table_options_page() -> str:
    """Every option of CREATE TABLE: what it takes, its default, what it does."""
    lines = [
        "# Options of a table\n\n",
        "<!-- Generated from the tables in the code. Write it anew with: make docs -->\n\n",
        "`CREATE TABLE name (columns) OPTIONS (option = value, ...) AS query`. Unknown options are refused, with the\n",
        "nearest one that exists.\n\n",
        "| option | takes | default | status | what it does |\n|---|---|---|---|---|\n",
    ]
    lines += [_option(option) for option in (*TABLE_OPTIONS, *STORAGE_OPTIONS)]
    lines += [
        "\n## Options of a column\n\n",
        "`column [type] [constraints] OPTIONS (option = value, ...)` in the column list.\n\n",
        "| option | takes | default | status | what it does |\n|---|---|---|---|---|\n",
    ]
    lines += [_option(option) for option in COLUMN_OPTIONS]
    return "".join(lines)


CHECKS_HEAD = """\
# Checks by the names of other tools

<!-- Generated from the tables in the code. Write it anew with: make docs -->

Every expectation of [Great Expectations](https://greatexpectations.io/expectations/) and every anomaly of
[TensorFlow Data Validation](https://www.tensorflow.org/tfx/data_validation/anomalies), and how to say it. The tests
carry out each line on rows that keep it and on rows that break it.

A condition stands in the column list of its table, here t with columns a, b and id; `OPTIONS` stands behind the list;
`ASSERT` is a statement of its own. [How to check your data](../how-to/check-your-data.md) has whole statements.
"""


def checks_page() -> str:
    """How to say what other tools have names for."""
    lines = [CHECKS_HEAD]
    tools = {"Great Expectations": GREAT_EXPECTATIONS, "TensorFlow Data Validation": TFDV}
    for tool, ways in tools.items():
        lines.append(f"\n## {tool}\n\n| name there | here | notes |\n|---|---|---|\n")
        for way in ways:
            said = f"`{way.say}`" if way.say else ""
            if way.clause and way.options:
                said = f"`({way.clause}) OPTIONS ({way.options})`"
            lines.append(_row(", ".join(f"`{name}`" for name in way.names), said, way.note))
    return "".join(lines)


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "bigquery-ml.md": reference_page(),
        "checks.md": checks_page(),
        "cleaning.md": cleaning_page(),
        "cli.md": cli_page(),
        "errors.md": errors_page(),
        "settings.md": settings_page(),
        "system-tables.md": system_tables_page(),
        "table-options.md": table_options_page(),
    }


def main(arguments: Iterable[str]) -> None:
    """Write the pages to the folder named, or to their place under the current folder."""
    folder = Path(next(iter(arguments), str(FOLDER)))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
