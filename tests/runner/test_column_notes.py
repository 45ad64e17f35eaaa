"""What is said of columns, in SQL and in tidemill.toml: checked, shown as a table, and kept out of what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill.analysis.drift.page import as_page
from tidemill.analysis.profile.page import as_page as profile_page
from tidemill.cli.drift_text import describe as describe_drift
from tidemill.cli.profile_text import describe
from tidemill.core.errors import ContractError, OptionError, SettingsError, SourceError
from tidemill.project import Project, open_project
from tidemill.runner.drift import drift

Make = Callable[..., Project]
ANN = "ann@example.org"
ROWS = f"id,email,country\n1,{ANN},NL\n2,{ANN},DE\n3,bob@example.org,FR\n"
COLUMNS = (
    "id OPTIONS (description = 'the number'), email OPTIONS (pii = 'EMAIL', description = 'where they are reached')"
)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def of(columns: str = "", toml: str = "", *, options: str = "", rows: str = ROWS) -> Project:
        (tmp_path / "tidemill.toml").write_text(toml)
        (tmp_path / "sql").mkdir(exist_ok=True)
        listed = f"({columns})" if columns else ""
        text = f"CREATE TABLE people\n{listed}\n{options} AS SELECT * FROM 'people.csv';\n"
        (tmp_path / "sql" / "people.sql").write_text(text)
        (tmp_path / "people.csv").write_text(rows)
        return open_project(tmp_path)

    return of


def test_both_forms_stand_in_one_table(make: Make) -> None:
    project = make(COLUMNS, "[tables.People.columns.Country]\nprotected = true\n")
    project.run()

    found = project.sql("SELECT * FROM tidemill.columns ORDER BY column_name").fetchall()

    assert found == [
        ("people", "country", "VARCHAR", None, True, None, "tidemill.toml:2"),
        ("people", "email", "VARCHAR", "where they are reached", False, "email", "sql/people.sql:2"),
        ("people", "id", "BIGINT", "the number", False, None, "sql/people.sql:2"),
    ]
    (project.root / "tidemill.toml").write_text("")
    with open_project(project.root) as again:
        assert again.plan().work == ()  # no row changes by what is said of columns


@pytest.mark.parametrize(
    ("toml", "said", "hint"),
    [
        ("[tables.people]\ncolums = 1", "unknown setting tables.people.colums", "did you mean columns?"),
        ("[tables.people.columns.email]\npi = 'email'", "unknown setting tables.people.columns.email.pi", "mean pii?"),
        ("[tables.people.columns.email]\npii = 'emial'", "must be one of name, email", "did you mean email?"),
        ("[tables.people.columns.email]\nprotected = 'yes'", "must be true or false", ""),
        ("[tables.people.columns]\nemail = 'x'", "must be a table: [tables.people.columns.email]", ""),
        ("[tables.peple.columns.email]\npii = 'email'", "no statement makes such a table", "did you mean people?"),
        ("[tables.people.columns.mail]\npii = 'email'", "people has no column mail", "did you mean email?"),
    ],
)
def test_wrong_settings_of_columns_are_told_at_their_place(make: Make, toml: str, said: str, hint: str) -> None:
    make().run()
    with pytest.raises(SettingsError) as caught:
        make(toml=toml).plan()
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where is not None


@pytest.mark.parametrize(
    ("columns", "said", "hint"),
    [
        ("email OPTIONS (pi = 'email')", "a column has no option PI", "did you mean PII?"),
        ("email OPTIONS (pii = 'emial')", "EMIAL", ""),
        ("email OPTIONS (protected = 'yes')", "PROTECTED", ""),
    ],
)
def test_wrong_options_of_columns_are_told_at_their_place(make: Make, columns: str, said: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        make(columns).plan()
    assert said.lower() in caught.value.message.lower()
    assert hint in caught.value.hint
    assert caught.value.where is not None
    assert caught.value.where.line == 2


def test_a_column_of_the_settings_that_a_new_table_lacks_stops_the_step(make: Make) -> None:
    (step,) = make(toml="[tables.people.columns.mail]\npii = 'email'").run().steps
    assert isinstance(step.error, SettingsError)
    assert step.error.hint == "did you mean email?"


def test_sql_and_settings_may_say_the_same_and_not_different_things(make: Make) -> None:
    make(COLUMNS, "[tables.people.columns.id]\ndescription = 'the number'").plan()
    with pytest.raises(OptionError) as caught:
        make(COLUMNS, "[tables.people.columns.id]\ndescription = 'a name'").plan()
    assert "is 'the number' here and 'a name' in tidemill.toml:2" in caught.value.message
    assert (caught.value.where and caught.value.where.line) == 2


@pytest.mark.parametrize("declared", ["sql", "settings"])
@pytest.mark.parametrize("incremental", [False, True])
def test_personal_data_is_in_no_sample_of_a_check(make: Make, declared: str, incremental: bool) -> None:
    pii = " OPTIONS (pii = 'email')" if declared == "sql" else ""
    toml = "[tables.people.columns.email]\npii = 'email'" if declared == "settings" else ""
    options = "OPTIONS (incremental_by = 'id')" if incremental else ""
    columns = f"id, email{pii} UNIQUE NOT ENFORCED, country, CHECK (max(email) < 'b') NOT ENFORCED, CHECK (id < 3)"
    project = make(columns, toml, options=options)

    (step,) = project.run().steps

    assert isinstance(step.error, ContractError)
    assert "email = '(hidden)'" in json.dumps(step.error.as_json())
    rows = project.sql("SELECT * FROM tidemill.checks").fetchall()
    assert len(rows) == 3
    assert "example.org" not in f"{rows}{step.error.as_json()}{step.error.render()}"


def test_personal_data_is_in_no_sample_of_a_check_of_what_is_there(make: Make) -> None:
    project = make("id PRIMARY KEY, email OPTIONS (pii = 'email'), CHECK (id < 3) NOT ENFORCED")
    project.run()
    report = json.dumps(project.check().as_json())
    assert "(hidden)" in report
    assert "example.org" not in report


@pytest.mark.parametrize("incremental", [False, True])
def test_a_bad_row_of_a_table_with_personal_data_is_only_placed(make: Make, incremental: bool) -> None:
    toml = "[tables.people.columns.email]\npii = 'email'"
    by = ", incremental_by = 'id'" if incremental else ""
    rows = f"id,email,country\n1,a,NL\n{ANN},b,DE\n"
    project = make("id BIGINT", toml, options=f"OPTIONS (max_bad_rows = 0{by})", rows=rows)
    (step,) = project.run().steps
    assert isinstance(step.error, SourceError)
    assert "line 3 of people.csv" in step.error.message
    assert ANN not in step.error.render()

    project = make("id BIGINT", toml, options=f"OPTIONS (max_bad_rows = 1{by})", rows=rows)
    project.run()
    found = project.sql("SELECT line, raw, reason FROM tidemill.rejects").fetchall()
    assert {(line, raw) for line, raw, _ in found} == {(3, "(hidden)")}
    assert ANN not in str(found)


def test_a_profile_sets_what_is_declared_against_what_it_suspects(make: Make) -> None:
    people = "".join(f"{i},{name}{i}@example.org,NL\n" for i, name in enumerate(["ann", "bob", "cy"] * 20))
    rows = f"id,email,country\n{people}"
    make(rows=rows).run()
    # What is said after the table was built counts: nothing is built on its account.
    project = make("id OPTIONS (pii = 'identifier', description = 'the number')", rows=rows)
    project.run()
    assert len(project.history("people")) == 1

    found = project.profile("people")

    declared, suspected = found.column("id"), found.column("email")
    assert (declared.declared, declared.description, suspected.declared) == ("identifier", "the number", "")
    assert not {"top", "min", "max", "histogram"} & declared.facts.keys()
    assert "values hidden: identifier, as declared" in describe(found)
    told = {(one.column, one.text.partition(":")[0]) for one in found.notices if one.name == "personal_data"}
    assert told == {
        ("id", "is declared to hold personal data (identifier)"),
        ("email", "may hold personal data"),
    }


def test_the_page_of_a_profile_draws_shapes_of_declared_texts_and_no_values(make: Make) -> None:
    people = "".join(f"{i},{name}{i}@example.org,NL\n" for i, name in enumerate(["ann", "bob", "cy"] * 20))
    project = make("email OPTIONS (pii = 'email')", rows=f"id,email,country\n{people}")
    project.run()

    page = profile_page(project.profile("people"))

    assert "Shapes" in page
    assert "example.org" not in page


def test_a_comparison_shows_no_value_of_personal_data(make: Make) -> None:
    people = "".join(f"{i},{name}@example.org,NL\n" for i, name in enumerate(["ann", "bob", "cy"] * 20))
    toml = "[tables.people.columns.email]\npii = 'email'\n[tables.people.columns.id]\npii = 'identifier'\n"
    project = make("id", toml, rows=f"id,email,country\n{people}")
    project.run()
    (project.root / "now.csv").write_text("id,email,country\n" + "98765,dan@example.org,BE\n" * 60)

    found = drift(project.stations, "people", str(project.root / "now.csv"))

    shown = f"{describe_drift(found)}{as_page(found)}{json.dumps(found.as_json())}"
    assert "example.org" not in shown
    assert "98765" not in shown.replace(",", "")
    assert "BE" in shown
    assert {column.name for column in found.moved} == {"id", "email", "country"}


def test_events_of_lineage_carry_the_descriptions_of_both_forms(make: Make) -> None:
    toml = "[openlineage]\nfile = 'events.ndjson'\n[tables.people.columns.country]\ndescription = 'where they live'\n"
    project = make(COLUMNS, toml)
    project.run()
    text = (project.root / "events.ndjson").read_text()
    assert "where they live" in text
    assert "where they are reached" in text
