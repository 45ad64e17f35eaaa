"""Statements as lines for reading side by side: layout, comments and the case of keywords do not count."""

from __future__ import annotations

import pytest

from tidemill.sql.canonical import canonical_lines

ONE = """
-- the model
create or replace model churn options(model_type='LOGISTIC_REG', input_label_cols=['Churn']) as
select a, count(*) as n, "Some Col", 'it''s' as t from customers left join b using (id)
where n > 3 /* why */ group by all;
"""
OTHER = """CREATE OR REPLACE model churn
options(
  model_type = 'LOGISTIC_REG',
  input_label_cols = ['Churn']
) AS
SELECT a,
       count(*) AS n,
       "Some Col", 'it''s' AS t
FROM customers
LEFT JOIN b USING (id)
WHERE n > 3
GROUP BY ALL
"""


def test_two_layouts_of_one_statement_have_the_same_lines() -> None:
    lines = canonical_lines(ONE, "duckdb")

    assert lines == canonical_lines(OTHER, "duckdb")
    assert lines[-6:] == [
        '  "Some Col",',
        "  'it''s' AS t",
        "FROM customers",
        "LEFT JOIN b USING (id)",
        "WHERE n > 3",
        "GROUP BY ALL",
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("select 'Ä  b', x", "'Ä  b',"),
        ('select "a  b"', '"a  b"'),
        ("select 'a','A'", "'a',"),
        ("select $$ x  y $$", "$$ x  y $$"),
        ("select Name", "Name"),
    ],
)
def test_texts_and_names_stay_as_they_are(text: str, kept: str) -> None:
    assert canonical_lines(text, "duckdb")[0] == f"SELECT {kept}"


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    assert canonical_lines("SELECT 'open", "duckdb") == ["SELECT 'open"]
