"""What always holds for CLEAN functions, whatever the text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.clean_queries import bound, rows, values

TEXTS = st.lists(
    st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)),
    max_size=12,
)
DATES = st.lists(st.dates(dt.date(1000, 1, 1), dt.date(2999, 12, 31)), min_size=1, max_size=12)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(2100, 1, 1))  # noqa: DTZ001 - they have no zone
FEW = settings(max_examples=8, deadline=None)

FORMATS = [
    ("%Y-%m-%d", ""),
    ("%Y/%m/%d", ""),
    ("%Y%m%d", ""),
    ("%d.%m.%Y", "day_first => TRUE"),
    ("%d/%m/%Y", "day_first => TRUE"),
    ("%d - %m - %Y", "day_first => TRUE"),
    ("%m/%d/%Y", "day_first => FALSE"),
    ("%m %d %Y", "day_first => FALSE"),
    ("%d %b %Y", ""),
    ("%A, %d %B %Y", ""),
    ("%B %d, %Y", ""),
    ("%d-%b-%Y", ""),
    ("%Y %b %d", ""),
    ("the %dth of %B, %Y", ""),
    ("  %d%B%Y  ", ""),
    ("%Y-%m-%d 23:59:59", ""),
]


@pytest.mark.parametrize(("form", "stated"), FORMATS)
@FEW
@given(days=DATES)
def test_a_date_that_is_written_is_read_back(form: str, stated: str, days: list[dt.date]) -> None:
    written = [day.strftime(form.replace("%Y", f"{day.year:04}")) for day in days]
    assert values(f"CLEAN.DATE(x{', ' if stated else ''}{stated})", written) == days


@pytest.mark.parametrize("pivot", [0, 30, 100])
@FEW
@given(years=st.lists(st.integers(0, 99), min_size=1, max_size=12))
def test_years_of_two_digits_lie_around_the_pivot(pivot: int, years: list[int]) -> None:
    for form in ("05 Mar {:02}", "5.3.{:02}", "March 5th, '{:02}"):
        found = values(f"CLEAN.DATE(x, day_first => TRUE, pivot => {pivot})", [form.format(year) for year in years])
        assert found == [dt.date((1900 if year >= pivot else 2000) + year, 3, 5) for year in years]


@FEW
@given(days=DATES)
def test_an_order_that_is_not_stated_is_never_guessed(days: list[dt.date]) -> None:
    found = values("CLEAN.DATE(x)", [f"{day.day}/{day.month}/{day.year:04}" for day in days])
    assert found == [day if day.day > 12 or day.day == day.month else None for day in days]


@FEW
@given(times=st.lists(MOMENTS, min_size=1, max_size=12))
def test_a_time_that_is_written_is_read_back(times: list[dt.datetime]) -> None:
    whole = [moment.replace(microsecond=0) for moment in times]
    assert values("CLEAN.TIMESTAMP(x)", [moment.isoformat() for moment in whole]) == whole
    assert values("CLEAN.TIMESTAMP(x)", [f"{moment:%d %b %Y %I:%M:%S %p}" for moment in whole]) == whole
    minutes = [moment.replace(second=0) for moment in whole]
    for form in ("%H:%M", "%I:%M %p", "%I:%M%p"):
        assert values("CLEAN.TIME(x)", [f"{moment:{form}}" for moment in minutes]) == [m.time() for m in minutes]


@FEW
@given(moments=st.lists(MOMENTS, min_size=1, max_size=8),
       offset=st.integers(-14 * 60, 14 * 60))  # fmt: skip
def test_an_offset_leads_to_utc(moments: list[dt.datetime], offset: int) -> None:
    zone = dt.timezone(dt.timedelta(minutes=offset))
    there = [moment.replace(microsecond=0, tzinfo=dt.UTC).astimezone(zone) for moment in moments]
    assert values("CLEAN.TIMESTAMP(x)", [moment.isoformat() for moment in there]) == [
        moment.replace(microsecond=0) for moment in moments
    ]


WHOLE = st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=12)


def _swapped(text: str) -> str:
    return text.translate(str.maketrans(",.", ".,"))


@FEW
@given(numbers=WHOLE)
def test_whole_numbers_stay_exact_in_each_spelling(numbers: list[int]) -> None:
    spellings: list[tuple[str, Any]] = [
        ("", str),
        ("", lambda n: f"{n:,}"),
        ("", lambda n: f"{n:,}".replace(",", "\u202f")),
        ("", lambda n: f"$ {n:,}.00" if n >= 0 else f"(${-n:,}.00)"),
        ("", lambda n: f"{abs(n):,} USD" if n >= 0 else f"{-n:,}-"),
        ("decimal => ','", lambda n: _swapped(f"{n:,}")),
        ("units => ['kg']", lambda n: f"{n:,} kg"),
        ("anywhere => TRUE", lambda n: f"about {n} or so"),
    ]
    for stated, write in spellings:
        call = f"CLEAN.INTEGER(x{', ' if stated else ''}{stated})"
        assert values(call, [write(number) for number in numbers]) == numbers, stated


@FEW
@given(
    numbers=st.lists(
        st.decimals(Decimal(-(10**20)), Decimal(10**20), places=4, allow_nan=False), min_size=1, max_size=8
    )
)
def test_decimals_stay_exact_or_are_null(numbers: list[Decimal]) -> None:
    written = [f"{number:,.4f}" for number in numbers]
    assert values("CLEAN.DECIMAL(x, 4)", written) == numbers
    exact = [number if number == round(number, 2) else None for number in numbers]
    assert values("CLEAN.DECIMAL(x, 2)", written) == exact


@FEW
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=12))
def test_a_float_that_python_writes_is_read_back(numbers: list[float]) -> None:
    assert values("CLEAN.NUMBER(x)", [repr(number) for number in numbers]) == numbers


@FEW
@given(data=TEXTS)
def test_tidying_twice_is_tidying_once(data: list[str | None]) -> None:
    for call in ("CLEAN.TEXT({})", "CLEAN.TEXT({}, plain => TRUE)", "CLEAN.FOLD({})"):
        once = values(call.format("x"), data)
        assert values(call.format("x"), once) == once
        assert [value is None for value in once] == [value is None for value in data]


@FEW
@given(data=TEXTS)
def test_any_text_is_read_or_null_and_never_an_error(data: list[str | None]) -> None:
    calls = [
        "CLEAN.NULLS(x)", "CLEAN.BOOLEAN(x)", "CLEAN.NUMBER(x, letters => TRUE)", "CLEAN.NUMBER(x, anywhere => TRUE)",
        "CLEAN.INTEGER(x, decimal => 'either')", "CLEAN.DECIMAL(x)", "CLEAN.DATE(x)", "CLEAN.TIMESTAMP(x)",
        "CLEAN.TIME(x, anywhere => TRUE)", "CLEAN.YEAR(x)", "CLEAN.CATEGORY(x, ['a', 'bcd'], distance => 2)",
    ]  # fmt: skip
    for call in calls:
        found = values(call, data)
        assert all(value is None for value, raw in zip(found, data, strict=True) if raw is None)


@FEW
@given(data=st.lists(st.text("0123456789/.-: apmJanFebt,$()%", max_size=14), max_size=20))
def test_what_looks_like_dates_and_numbers_is_never_an_error(data: list[str]) -> None:
    for call in ("CLEAN.DATE(x, partial => TRUE)", "CLEAN.TIMESTAMP(x)", "CLEAN.TIME(x)", "CLEAN.NUMBER(x)",
                 "CLEAN.INTEGER(x, anywhere => TRUE)", "CLEAN.DECIMAL(x, 37)"):  # fmt: skip
        assert len(values(call, data)) == len(data)


KEYED = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 4)), st.one_of(st.none(), st.integers(0, 3)), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)


@FEW
@given(data=KEYED)
def test_latest_keeps_one_row_of_each_key_and_all_without(data: list[tuple[int | None, int | None, int]]) -> None:
    listed = ", ".join(str(row).replace("None", "CAST(NULL AS INTEGER)") for row in data)
    found = rows(f"WITH t(k, u, v) AS (VALUES {listed}) SELECT * FROM CLEAN.LATEST(TABLE t, 'k', 'u')")
    keyed = [row for row in found if row[0] is not None]
    assert sorted(row[0] for row in keyed) == sorted({row[0] for row in data if row[0] is not None})
    for key, order, _ in keyed:
        orders = [row[1] for row in data if row[0] == key and row[1] is not None]
        assert order == (max(orders) if orders else None)
    assert sum(row[0] is None for row in found) == sum(row[0] is None for row in data)


@FEW
@given(data=st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=15))
def test_the_majority_wins_and_a_tie_changes_nothing(data: list[str | None]) -> None:
    counts = {value: data.count(value) for value in set(data) if value is not None}
    most = max(counts.values(), default=0)
    first = [value for value, count in counts.items() if count == most]
    expected = [first[0]] * len(data) if len(first) == 1 else data
    assert values("CLEAN.MAJORITY(x) OVER ()", list(data)) == expected


@FEW
@given(
    data=st.lists(st.sampled_from(["USA", "usa ", "US", "U.S.A", "Italy1", "Itlay", "New Zesland", None]), max_size=10)
)
def test_categories_are_accepted_values_or_null(data: list[str | None]) -> None:
    found = values("CLEAN.CATEGORY(x, ['USA', 'Italy', 'New Zealand'], distance => 1)", list(data))
    means = {"usa ": "USA", "USA": "USA", "U.S.A": None, "US": None, "Italy1": "Italy", "Itlay": "Italy"}
    means |= {"New Zesland": "New Zealand"}
    assert found == [means[value] if value else None for value in data]


def test_bound_sql_names_no_function_that_is_not_the_engines() -> None:
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE t (x VARCHAR)")
        assert engine.execute(bound("SELECT CLEAN.DATE(CLEAN.TEXT(CLEAN.NULLS(x))) FROM t")).fetchall() == []
