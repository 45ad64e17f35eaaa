"""A new project: an empty one with comments, or one written from a file and the column to predict."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import ExistsError, SettingsError
from tidemill.core.settings import SETTINGS, SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidemill.sources.choose import Choice

IGNORED = ".tidemill/\nerasures.jsonl\n"
"""What git must not take in: what is kept, and the ledger, in which whoever has it can test a guess."""

EXAMPLE = """\
-- A project is any number of .sql files in this folder. What each statement reads tells where it stands in the graph.
--
-- A checked table: new rows that break a check are not published.
--
--   CREATE TABLE customers (
--     customer_id VARCHAR PRIMARY KEY,
--     age         BIGINT CHECK (age >= 0)
--   ) AS
--   SELECT * FROM 'data/customers.csv';
--
-- A model of one of its columns:
--
--   CREATE OR REPLACE MODEL churn
--   OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['churned']) AS
--   SELECT * EXCLUDE (customer_id) FROM customers;
--
-- Then: tidemill plan, tidemill run, tidemill sql -e "SELECT * FROM ML.EVALUATE(MODEL churn)"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """What was written: the folder, its files, and with a model what it learns and what it does not see."""

    root: Path
    files: tuple[Path, ...]
    table: str = ""
    model: str = ""
    choice: Choice | None = None
    notes: tuple[str, ...] = ()


def create_project(
    root: Path, *, file: Path | None = None, predict: str = "", dbt: Path | None = None, select: Sequence[str] = ()
) -> NewProject:
    """Write a new project; nothing is written unless all of it is.

    Parameters
    ----------
    root
        Its folder: new, or without files of the same names.
    file
        A data file to begin with, or a pattern of files.
    predict
        The column of the file that a model should predict.
    dbt
        The folder of a dbt project whose tables to take in.
    select
        Which of dbt's tables; those that no other model reads when nothing is said.

    Raises
    ------
    ExistsError
        The folder is a project already, or has a file that would be overwritten.
    SourceError, LabelError, BindError, EmptyDataError
        The file cannot be read, or the column cannot be predicted.
    """
    if dbt is not None and (file is not None or predict):
        raise SettingsError("--from-dbt stands alone", hint="take the dbt project in first, then write the model's SQL")
    if select and dbt is None:
        raise SettingsError("--select chooses among dbt's tables", hint="add --from-dbt DIR")
    if predict and file is None:
        raise SettingsError("--predict needs a file to learn from", hint="add --from FILE")
    if root.exists() and not root.is_dir():
        raise ExistsError(f"{root} is a file", hint="choose another name for the project's folder")
    if (root / SETTINGS_FILE).exists():
        raise ExistsError(f"{root} is a project already", hint="choose another folder, or write into its sql folder")
    texts = {SETTINGS_FILE: settings_text(), ".gitignore": IGNORED}
    if dbt is not None:
        return _write(*_from_dbt(root, dbt, select, texts))
    if file is None:
        return _write(NewProject(root=root, files=()), {**texts, "sql/start.sql": EXAMPLE})
    project, statements = _draft(root, file, predict)
    if project.choice:
        texts[SETTINGS_FILE] += deployment_text(project.model, project.choice.key)
    return _write(project, {**texts, **statements})


def settings_text() -> str:
    """The settings file with every setting, its meaning and its default, commented out."""
    lines = ["# Settings of this project. Each line shows the default; take the # away to change one."]
    for setting in SETTINGS:
        value = f'"{setting.default}"' if isinstance(setting.default, str) else str(setting.default)
        lines += ["", f"# {setting.doc}", f"# {setting.name} = {value}"]
    return "\n".join(lines) + "\n"


def deployment_text(model: str, key: str) -> str:
    """The section that lets a model answer over HTTP, with the settings people change first."""
    lines = [
        "",
        "# tidemill deploy lets a version of the model through its gates, tidemill serve answers with it.",
        f"[deployments.{model}]",
        f'model = "{model}"',
        f"key = {json.dumps(key)}" if key else '# key = "the column that names the customer, machine, ..."',
        '# log = "durable"  # a power loss loses nothing then; buffered is the default',
        '# fallback = "the answer when no version can give one"',
    ]
    return "\n".join(lines) + "\n"


def _draft(root: Path, file: Path, predict: str) -> tuple[NewProject, dict[str, str]]:
    """Look at the file in a lake of its own, which is thrown away, and write the statements."""
    from tidemill.sources.choose import choose
    from tidemill.sources.draft import draft_model, draft_table, name_model, name_table
    from tidemill.sources.files import shown_path
    from tidemill.sources.scan import scan_file
    from tidemill.sources.sniff import plain_name, sniff_table
    from tidemill.warehouse.duckdb.lake import open_lake

    with tempfile.TemporaryDirectory(prefix="tidemill-init-") as scratch:
        lake = open_lake(Path(scratch), search_path=Path.cwd())
        try:
            with lake.session() as session:
                table = sniff_table(session, scan_file(session, file))
                choice = choose(session, table, predict) if predict else None
        finally:
            lake.close()
    folder = root.resolve().name
    # Of a pattern what stands in all names is left: sales of sales_*.csv, and data of data/*.csv.
    stem = re.sub(r"\[[^]]*\]|[*?]", " ", file.name.split(".")[0]).strip()
    table_name = name_table(stem or file.absolute().parent.name, folder)
    label = choice.label.name if choice else ""
    path = shown_path(file, root)
    statements = {f"sql/{table_name}.sql": draft_table(table, name=table_name, path=path, label=label)}
    model = ""
    if choice:
        model = name_model(choice.label.source, table_name, folder)
        statements[f"sql/{model}.sql"] = draft_model(table, choice, name=model, table_name=table_name)
    notes = (*table.scan.notes, *(choice.notes if choice else ()))
    if table_name != (plain := plain_name(stem)):
        why = f"{plain} alone would not say what it holds" if plain else "the file's name has no letters"
        notes = (f"the table is named {table_name}, after the folder: {why}", *notes)
    return NewProject(root=root, files=(), table=table_name, model=model, choice=choice, notes=notes), statements


def _from_dbt(root: Path, dbt: Path, select: Sequence[str], texts: dict[str, str]) -> tuple[NewProject, dict[str, str]]:
    """Statements that take dbt's tables in, each in a file of its own, and the connection they are read through."""
    from tidemill.sources.dbt_draft import ADAPTERS, connection_text, draft_queries, draft_table, name_tables, source_of
    from tidemill.sources.dbt_manifest import choose, read_manifest

    project = read_manifest(dbt)
    tables = choose(project, select)
    names = name_tables(tables)
    drafts = [draft_table(project, table, names, source_of(project, table)) for table in tables]
    queries = draft_queries(project, names)
    texts[SETTINGS_FILE] += connection_text(project, tables, root)
    texts |= {f"sql/{draft.name}.sql": draft.text for draft in drafts}
    if queries.text:
        texts["sql/dbt_tests.sql"] = queries.text
    notes = [f"{len(drafts)} of the {len(project.tables)} tables of the dbt project {project.name} are taken in"]
    if not select and len(drafts) < len(project.tables):
        notes.append("these are the ones that no other model reads; name others by --select")
    if project.adapter not in ADAPTERS:
        notes.append(f"no connection reaches {project.adapter}: export the tables to data/NAME.parquet")
    notes += [f"not taken along: {left}" for draft in (*drafts, queries) for left in draft.left]
    return NewProject(root=root, files=(), notes=tuple(notes)), texts


def _write(project: NewProject, texts: dict[str, str]) -> NewProject:
    taken = [name for name in texts if (project.root / name).exists() and name != ".gitignore"]
    if taken:
        raise ExistsError(
            f"{project.root} has a file {taken[0]} already", hint="move it away, or choose another folder", files=taken
        )
    for name, text in reversed(texts.items()):  # the settings last: half a project is no project
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_with_theirs(path, text), encoding="utf-8")
    return replace(project, files=tuple(project.root / name for name in texts))


def _with_theirs(path: Path, text: str) -> str:
    """A .gitignore of the user's own stays, with our lines in it."""
    if not path.exists():
        return text
    old = path.read_text(encoding="utf-8")
    news = [line for line in text.split() if line not in old.split()]
    return "\n".join([old.rstrip(), *news, ""]) if news else old
