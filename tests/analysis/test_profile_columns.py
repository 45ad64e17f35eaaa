"""What a profile says of columns of every kind, and of tables of every shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.analysis.conftest import ProfileOf

from tidemill.analysis.profile.as_json import as_json
from tidemill.analysis.profile.notices import NOTICES, TABLE_NOTICES
from tidemill.analysis.profile.personal import PERSONAL, is_iban, masked, passes_luhn
from tidemill.analysis.profile.statistics import ALL, STATISTICS
from tidemill.analysis.profile.words import head_lines
from tidemill.cli.profile_text import describe
from tidemill.core.errors import BindError, LabelError

EVERY_TYPE = """SELECT i::HUGEINT * 1000000000000000000000 AS huge, (i * 0.1)::DECIMAL(38,18) AS dec, i::UBIGINT AS u,
  encode('abc' || i) AS bl, TIMESTAMPTZ '2024-01-01 00:00:00+02' + INTERVAL (i) HOUR AS tz, TIME '10:00:00' AS clock,
  INTERVAL (i) DAY AS iv, uuid() AS id, CASE WHEN i % 4 = 0 THEN NULL ELSE range(i % 3) END AS l, {'a': i} AS s,
  MAP {i: i} AS m, ('a' || i % 3)::ENUM('a0','a1','a2') AS e, '{"a": 1}'::JSON AS j, [[i]] AS ll, i % 2 = 0 AS b,
  TIMESTAMP_NS '2020-01-01 00:00:00.123456789' + INTERVAL (i) DAY AS ns FROM range(60) AS t(i)"""


def said(profile_of: ProfileOf, sql: str, **given: object) -> dict[str, str]:
    return {one.name: one.text for one in profile_of(sql, **given).notices}


def test_every_type_of_the_engine_has_a_profile(profile_of: ProfileOf) -> None:
    found = profile_of(EVERY_TYPE)

    assert {column.kind for column in found.columns} == set(ALL) - {"date"}
    json.dumps(as_json(found))
    assert found.column("huge").facts["max"] == 59 * 10**21
    assert found.column("tz").facts["min"] == "2023-12-31 22:00:00+00"
    lists = found.column("l").facts
    assert (lists["items_min"], lists["items_max"], lists["nulls"]) == (0, 2, 15)
    assert found.column("bl").facts["bytes_max"] == 5


def test_decimals_and_large_whole_numbers_keep_their_digits(profile_of: ProfileOf) -> None:
    sql = "SELECT 9007199254740993 + i AS w, 1234567890123456789.123456789::DECIMAL(38,9) + i AS d FROM range(3) t(i)"

    found = as_json(profile_of(sql))["columns"]

    assert (found[0]["min"], found[0]["max"]) == (9007199254740993, 9007199254740995)
    assert found[1]["min"] == "1234567890123456789.123456789"


@pytest.mark.parametrize("rows", [0, 1])
def test_tables_of_no_row_and_of_one_have_a_profile(profile_of: ProfileOf, rows: int) -> None:
    found = profile_of(f"SELECT * FROM ({EVERY_TYPE}) LIMIT {rows}")

    assert found.rows == rows
    assert not found.associations
    assert found.duplicates == 0
    json.dumps(as_json(found))
    assert [one.name for one in found.notices] == (["all_null"] if rows else ["empty"])


def test_columns_without_a_value_say_so(profile_of: ProfileOf) -> None:
    found = profile_of("SELECT NULL::INT AS a, NULL::VARCHAR AS b, NULL::DATE AS c, NULL::DOUBLE[] AS d FROM range(9)")

    assert [one.column for one in found.notices if one.name == "all_null"] == ["a", "b", "c", "d"]
    assert found.duplicates == 8


def test_nan_and_infinity_are_counted_and_left_out_of_all_else(profile_of: ProfileOf) -> None:
    sql = "SELECT [i, 'nan'::DOUBLE, 'inf', '-inf'][if(i IN (1, 2, 3), i, 0) + 1] AS x FROM range(50) t(i)"

    facts = profile_of(sql).column("x").facts

    assert (facts["nan"], facts["infinite"], facts["min"], facts["max"]) == (1, 2, 0.0, 49.0)
    assert facts["mean"] == pytest.approx((sum(range(50)) - 6) / 47)


def test_very_many_columns_are_looked_at_and_the_limits_said(profile_of: ProfileOf) -> None:
    columns = ", ".join(f"{number} AS c{number}" for number in range(1200))

    found = profile_of(f"SELECT {columns} FROM range(2)")

    assert len(found.columns) == 1200
    assert found.column("c1199").facts["max"] == 1199
    assert found.duplicates is None
    assert any("the first 500" in note for note in found.notes)


def test_keys_are_found_alone_and_in_pairs(profile_of: ProfileOf) -> None:
    alone = profile_of("SELECT i AS id, i % 7 AS g FROM range(500) t(i)")
    pair = profile_of("SELECT i // 20 AS shop, i % 20 AS line, 'x' AS c FROM range(500) t(i)")
    none = profile_of("SELECT i % 5 AS a FROM range(500) t(i)")

    assert (alone.keys, alone.duplicates) == ((("id",),), 0)
    assert (pair.keys, pair.duplicates) == ((("shop", "line"),), 0)
    assert (none.keys, none.duplicates) == ((), 495)


def test_a_repeated_key_outside_of_the_sample_is_seen(profile_of: ProfileOf) -> None:
    sql = "SELECT CASE WHEN i = 599_999 THEN 7 ELSE i END AS id FROM range(600_000) t(i)"

    found = profile_of(sql)

    assert found.keys == ()
    assert found.column("id").facts["distinct"] == 599_999
    assert found.duplicates == 1


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("constant", "SELECT 5 AS x FROM range(30)"),
        ("many_nulls", "SELECT CASE WHEN i < 5 THEN i END AS x FROM range(30) t(i)"),
        ("mostly_one", "SELECT CASE WHEN i < 2 THEN i + 5 ELSE 0 END AS x FROM range(100) t(i)"),
        ("numbers_as_text", "SELECT ' ' || i AS x FROM range(30) t(i)"),
        ("dates_as_text", "SELECT strftime(DATE '2024-01-13' + i::INT, '%d.%m.%Y') AS x FROM range(30) t(i)"),
        ("mixed_dates", "SELECT if(i % 2 = 0, '2024-05-' || 10 + i, 10 + i || '/05/2024') AS x FROM range(20) t(i)"),
        ("missing_words", "SELECT CASE WHEN i % 5 = 0 THEN 'N/A' ELSE 'v' || i % 3 END AS x FROM range(40) t(i)"),
        ("blank", "SELECT CASE WHEN i = 3 THEN '  ' ELSE 'v' END AS x FROM range(40) t(i)"),
        ("padded", "SELECT CASE WHEN i = 3 THEN ' v' ELSE 'v' END AS x FROM range(40) t(i)"),
        ("variants", "SELECT ['Zurich', 'zurich', 'Bern'][i % 3 + 1] AS x FROM range(40) t(i)"),
        ("sentinel", "SELECT CASE WHEN i % 9 = 0 THEN -999 ELSE 20 + i % 50 END AS x FROM range(400) t(i)"),
        ("sentinel", "SELECT CASE WHEN i % 90 = 0 THEN 9999 ELSE 20 + i % 50 END AS x FROM range(4000) t(i)"),
        ("sentinel_date", "SELECT if(i % 9 = 0, '1900-01-01', DATE '2024-01-01' + i::INT) AS x FROM range(400) t(i)"),
        ("future", "SELECT DATE '2025-12-20' + i::INT AS x FROM range(30) t(i)"),
        ("nan", "SELECT CASE WHEN i = 1 THEN 'nan'::DOUBLE ELSE i END AS x FROM range(30) t(i)"),
        ("infinite", "SELECT CASE WHEN i = 1 THEN 'inf'::DOUBLE ELSE i END AS x FROM range(30) t(i)"),
        ("not_exact", "SELECT 9007199254740993 + i AS x FROM range(30) t(i)"),
        ("many_zeros", "SELECT greatest(0, i - 20) AS x FROM range(30) t(i)"),
        ("skewed", "SELECT exp(i / 5.0) AS x FROM range(100) t(i)"),
        ("identifier", "SELECT 'k' || i AS x FROM range(30) t(i)"),
        ("many_categories", "SELECT 'word ' || i % 200 AS x FROM range(300) t(i)"),
        ("gaps", "SELECT DATE '2024-01-01' + i::INT AS x FROM range(100) t(i) WHERE i NOT BETWEEN 40 AND 47"),
        ("personal_data", "SELECT 'ann' || i || '@example.org' AS x FROM range(30) t(i)"),
        ("all_null", "SELECT NULL::INT AS x FROM range(30)"),
        ("duplicates", "SELECT i % 3 AS x FROM range(30) t(i)"),
        ("same", "SELECT i AS x, 2 * i + 1 AS y FROM range(30) t(i)"),
        ("empty", "SELECT 1 AS x LIMIT 0"),
    ],
)  # fmt: skip
def test_each_warning_is_given_where_it_is_due(profile_of: ProfileOf, name: str, sql: str) -> None:
    assert name in said(profile_of, sql)


def test_the_cases_above_try_every_warning() -> None:
    mark = test_each_warning_is_given_where_it_is_due.pytestmark[0]  # type: ignore[attr-defined]
    tried = {case[0] for case in mark.args[1]}

    assert {watch.name for watch in NOTICES} | {name for name, _ in TABLE_NOTICES} == tried | {"leak"}


def test_honest_columns_get_no_warning(profile_of: ProfileOf) -> None:
    columns = "20 + (i * 7919 % 50) AS age, ['a','b','c'][i % 3 + 1] AS g, DATE '2024-01-01' + (i // 2)::INT AS d"
    sql = f"SELECT {columns} FROM range(300) t(i)"

    assert said(profile_of, sql) == {}


def test_shapes_of_texts_are_told_with_their_rows(profile_of: ProfileOf) -> None:
    codes = profile_of("SELECT 'ABC-' || 100 + i AS x FROM range(200) t(i)").column("x").facts["patterns"]
    names = (
        profile_of("SELECT repeat('x', i % 9 + 2) || ' Smith' AS x FROM range(200) t(i)").column("x").facts["patterns"]
    )

    assert [(one.value, one.rows) for one in codes] == [("AAA-999", 200)]
    assert [(one.value, one.rows) for one in names] == [("a+ Aa+", 200)]


def test_dates_tell_their_rhythm_and_gaps(profile_of: ProfileOf, shared_data: Path) -> None:
    sql = f"SELECT time_utc, date FROM '{shared_data}/vic_elec/vic_elec.parquet'"

    time, day = profile_of(sql).columns

    assert time.facts["granularity"] == "minute"
    assert time.facts["gaps"] is None
    assert day.facts["granularity"] == "day"
    assert sum(time.facts["weekdays"]) == sum(time.facts["hours"]) == 52_608
    monthly = profile_of(
        "SELECT make_date(2020 + i // 12, i % 12 + 1, 1) AS m FROM range(36) t(i) WHERE i <> 7"
    ).columns[0]
    assert monthly.facts["granularity"] == "month"
    longest = {"units": 1, "from": "2020-08", "to": "2020-08"}
    assert monthly.facts["gaps"] == {"unit": "month", "missing": 1, "of": 36, "longest": longest}


def test_dates_before_1970_keep_their_day(profile_of: ProfileOf) -> None:
    facts = (
        profile_of("SELECT TIMESTAMP '1969-12-28 23:00:00' + INTERVAL (i) HOUR AS x FROM range(48) t(i)")
        .columns[0]
        .facts
    )

    assert facts["weekdays"] == (24, 23, 0, 0, 0, 0, 1)  # 28 December 1969 was a Sunday
    assert facts["hours"] == (2,) * 24


PEOPLE = """SELECT 'ann' || i || '@example.org' AS mail, '+41 44 668 18 ' || 10 + i AS phone,
  'DE89370400440532013000' AS iban,
  ['4111111111111111', '5500 0000 0000 0004', '378282246310005'][i % 3 + 1] AS card, '192.168.0.' || i AS ip4,
  '2001:db8::' || i AS ip6, [4111111111111111, 5500000000000004][i % 2 + 1] AS card_number,
  'DE8937040044053201300' || i % 9 AS no_iban, '411111111111111' || i % 10 AS some_card, 1000000000000 + i AS plain,
  '2024-05-0' || i % 9 + 1 AS day, '10:30' AS clock FROM range(80) t(i)"""


def test_personal_data_is_suspected_by_its_look_and_its_checksum(profile_of: ProfileOf) -> None:
    found = {column.name: [one.kind for one in column.suspects] for column in profile_of(PEOPLE).columns}

    assert found == {
        "mail": ["e-mail"], "phone": ["phone"], "iban": ["IBAN"], "card": ["card number"], "ip4": ["IP address"],
        "ip6": ["IP address"], "card_number": ["card number"], "no_iban": [], "some_card": [], "plain": [], "day": [],
        "clock": [],
    }  # fmt: skip


def test_values_of_suspects_are_nowhere_in_the_profile(profile_of: ProfileOf) -> None:
    text = json.dumps(as_json(profile_of(PEOPLE)), ensure_ascii=False)

    for part in ("ann1@", "example.org", "668", "3704", "4111111111111111", "5500000000000004", "168.0"):
        if part not in ("3704", "4111111111111111"):  # columns whose checksums fail are no suspects
            assert part not in text
    assert masked("ann@example.org") == "a••@•••••••.•••"


@pytest.mark.parametrize(
    ("text", "good"),
    [("GB82 WEST 1234 5698 7654 32", True), ("DE89370400440532013000", True), ("DE88370400440532013000", False)],
)
def test_an_iban_is_told_by_its_check_digits(text: str, good: bool) -> None:
    assert is_iban(text) is good


@pytest.mark.parametrize(("text", "good"), [("79927398713", True), ("79927398710", False), ("0000000000000000", False)])
def test_a_card_is_told_by_luhns_digit(text: str, good: bool) -> None:
    assert passes_luhn(text) is good


def test_columns_that_give_the_label_away_are_named(profile_of: ProfileOf, shared_data: Path) -> None:
    found = profile_of(f"SELECT * FROM '{shared_data}/bike_sharing/hour.csv'", label="CNT")

    assert found.label == "cnt"
    assert [(leak.columns, leak.why) for leak in found.leaks] == [
        (("casual", "registered"), "cnt = casual + registered in every row")
    ]
    assert {one.column for one in found.notices if one.name == "leak"} == {"casual", "registered"}


def test_a_label_that_is_not_there_gets_a_suggestion(profile_of: ProfileOf) -> None:
    with pytest.raises(BindError) as caught:
        profile_of("SELECT 1 AS churned, DATE '2024-01-01' AS d", label="churnd")
    assert caught.value.hint == "did you mean churned?"
    with pytest.raises(LabelError, match="the label d has the type DATE"):
        profile_of("SELECT 1 AS churned, DATE '2024-01-01' AS d", label="d")


def test_the_json_has_only_facts_of_the_table_of_statistics(profile_of: ProfileOf) -> None:
    found = as_json(profile_of(EVERY_TYPE))

    general = {"name", "type", "kind", "rows", "approximate", "sampled", "description", "declared_personal"}
    kinds = {row.name: row.kinds for row in STATISTICS}
    for column in found["columns"]:
        for name in column.keys() - general:
            assert column["kind"] in kinds[name]
    assert list(found) == [
        "format", "name", "rows", "sample", "seconds", "duplicate_rows", "keys", "label", "leaks", "notes", "warnings",
        "columns", "associations",
    ]  # fmt: skip


def test_every_row_of_the_tables_is_said_completely() -> None:
    for row in (*STATISTICS, *NOTICES, *PERSONAL):
        assert row.doc.endswith("."), row.name
    for names in (
        [row.name for row in STATISTICS],
        [watch.name for watch in NOTICES],
        [kind.name for kind in PERSONAL],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize(("rows", "ranked"), [(17_000, 17_000), (50_000, 16_667)])
def test_rank_correlations_say_of_how_many_rows_they_are(profile_of: ProfileOf, rows: int, ranked: int) -> None:
    found = profile_of(f"SELECT hash(i) % 1000 AS x, hash(i) % 1000 * 2 + i % 3 AS y FROM range({rows}) t(i)")

    (pair,) = (one for one in found.associations if one.measure == "spearman")
    assert (pair.rows, pair.sampled) == (ranked, ranked < rows)
    told = "rank correlations are of 20,000 rows at most, evenly taken from all"
    assert (told in head_lines(found)) == pair.sampled


@pytest.mark.parametrize(("sql", "told"), [
    ("SELECT i % 4 AS x FROM range(5) t(i)", "1 row repeats another one"),
    ("SELECT i % 3 AS x FROM range(5) t(i)", "2 rows repeat another one"),
])  # fmt: skip
def test_repeated_rows_are_told_once(profile_of: ProfileOf, sql: str, told: str) -> None:
    shown = describe(profile_of(sql))

    assert told in shown
    assert shown.count("repeat") == 1


def test_different_values_of_a_small_table_are_counted_exactly(profile_of: ProfileOf) -> None:
    found = profile_of(
        "SELECT 9007199254740993 + i AS large, CASE WHEN i % 2 = 0 THEN 'nan'::DOUBLE ELSE i END AS nan, [i // 2] AS l,"
        " 'text ' || i // 3 AS t, TIMESTAMP '2020-01-01' + INTERVAL (i // 4) HOUR AS at FROM range(6000) AS r (i)"
    )

    assert [column.distinct for column in found.columns] == [6000, 3001, 3000, 2000, 1500]
    assert not any(column.approximate for column in found.columns)
