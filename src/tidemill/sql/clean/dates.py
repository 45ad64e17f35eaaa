"""Dirty dates and times: the shape of a text says where its parts stand; what no calendar has becomes NULL.

Each shape is one regular expression that puts the parts into the order of ISO 8601, and one cast. That is cheaper than
trying formats one after the other with ``try_strptime`` (measured: a third), and stricter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp  # noqa: TID253

from tidemill.sql.clean.texts import text, texts
from tidemill.sql.scalar_call import ScalarCall, fill

# English, German, French, Spanish, Italian, Portuguese and Dutch, without accents. No word has two meanings.
MONTHS = MappingProxyType(
    {
        1: "january jan januar jaenner janner janvier janv enero ene gennaio gen janeiro januari",
        2: "february feb februar fevrier fevr febrero febbraio fevereiro fev februari",
        3: "march mar marz maerz mrz mars marzo marco maart mrt",
        4: "april apr avril avr abril abr aprile",
        5: "may mai mayo maggio mag maio mei",
        6: "june jun juni juin junio giugno giu junho",
        7: "july jul juli juillet juil julio luglio lug julho",
        8: "august aug aout agosto ago augustus",
        9: "september sep sept septembre septiembre settembre set setembro",
        10: "october oct oktober okt octobre octubre ottobre ott outubro out",
        11: "november nov novembre noviembre novembro",
        12: "december dec dezember dez decembre diciembre dic dicembre dezembro",
    }
)
NAMES = {name: month for month, names in MONTHS.items() for name in names.split()}
_NAME = "|".join(sorted(NAMES, key=lambda name: (-len(name), name)))

_BEFORE = "^\\s*(?:(?:[a-z]{2,8}day|mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)\\b[.,]?\\s*)?(?:the\\s+)?"
# A time of day may follow; what it says is CLEAN.TIMESTAMP's to read.
_AFTER = "[\\s.,]*(?:[t\\s,]\\s*[0-9]{1,2}\\s*[:h.]\\s*[0-9]{2}\\b.*)?$"
_GAP = "[\\s./,_-]+"
_LOOSE = "[\\s./,_-]*"
_ORDINAL = "(?:st|nd|rd|th|er|o)?"
_OF = "(?:(?:of|de|del|year|in)\\b[\\s,]*)*"
NEVER = "[^\\s\\S]"
_DAY = "([0-9]{1,2})"
_FOUR = "([0-9]{4})"


def _two(low: int, high: int) -> str:
    """The pattern of a year of two digits within bounds, perhaps behind an apostrophe."""
    years = "|".join(f"{year:02}" for year in range(low, high))
    return f"'?({years or NEVER})"


def _numbers(year: str, first: str = _DAY, second: str = _DAY) -> str:
    return f"{_BEFORE}{first}{_GAP}{second}{_GAP}{year}{_AFTER}"


def _day_name(year: str) -> str:
    return f"{_BEFORE}{_DAY}{_ORDINAL}{_LOOSE}{_OF}({_NAME}){_LOOSE}{_OF}{year}{_AFTER}"


def _name_day(year: str) -> str:
    return f"{_BEFORE}({_NAME}){_LOOSE}(?:the\\s+)?{_DAY}{_ORDINAL}{_GAP}{_OF}{year}{_AFTER}"


# A number that can only be a day, and the pairs in which day and month are the same.
_OVER_12 = "(1[3-9]|2[0-9]|3[01])"
_EQUAL = "(?:" + "|".join(f"0?{month}{_GAP}0?{month}" for month in range(1, 13)) + ")"

SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "iso": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "plain": "([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})",
        "year_first": f"{_BEFORE}{_FOUR}{_GAP}{_DAY}{_GAP}{_DAY}{_AFTER}",
        "together": f"^\\s*{_FOUR}([0-9]{{2}})([0-9]{{2}}){_AFTER}",
        "year_name": f"{_BEFORE}{_FOUR}{_LOOSE}({_NAME}){_LOOSE}{_DAY}{_ORDINAL}{_AFTER}",
        "equal": f"{_BEFORE}{_EQUAL}{_GAP}",
        "day_month": f"{_BEFORE}{_OVER_12}{_GAP}{_DAY}{_GAP}",
        "month_day": f"{_BEFORE}{_DAY}{_GAP}{_OVER_12}{_GAP}",
        "month_year": f"^\\s*({_NAME}){_LOOSE}{_OF}{_FOUR}[\\s.]*$",
        "year_month": "^\\s*([0-9]{4})[-/.]([0-9]{1,2})[\\s.]*$",
        "year": "^\\s*([0-9]{4})[\\s.]*$",
    }
)

_T = "lower(strip_accents(CAST(:x AS VARCHAR)))"


def _when(shape: str, then: str) -> str:
    return f"WHEN regexp_matches({_T}, :{shape}) THEN {then}"


def _cast(shape: str, order: str) -> str:
    """The template of a date whose parts a shape finds, put into an order."""
    return f"TRY_CAST(regexp_replace({_T}, :{shape}, '{order}') AS DATE)"


def _cast_named(shape: str, year: str, name: int, day: str) -> str:
    """As `_cast`, with the month's name in the group ``name``; a constant ``day`` has no backslash."""
    month = f"(:months)[list_position(:names, regexp_extract({_T}, :{shape}, {name}))]"
    return (
        f"TRY_CAST(regexp_replace({_T}, :{shape}, '{year}-') || {month} "
        f"|| regexp_replace({_T}, :{shape}, '-{day}') AS DATE)"
    )


def _by_year(shape: str, branch: str, number: int) -> str:
    """Branches for a shape with a year of four digits, or of two on either side of the pivot.

    ``branch`` is a date's template in which ``{shape}`` and ``{year}`` stand for the shape's name and its year.
    """
    ways = ((f"{shape}_full", f"\\{number}"), (f"{shape}_19", f"19\\{number}"), (f"{shape}_20", f"20\\{number}"))
    return " ".join(_when(name, branch.format(shape=name, year=year)) for name, year in ways)


def _case(call: ScalarCall) -> str:
    """The template of a date, shape by shape; the cheap and frequent ones first."""
    day_month, month_day = "{year}-\\2-\\1", "{year}-\\1-\\2"
    if call.settings["day_first"] is None:
        ways = " ".join(
            _when(shape, _cast("{shape}", order))
            for shape, order in (("day_month", day_month), ("month_day", month_day), ("equal", month_day))
        )
        numbers = f"CASE {ways} END"
    else:
        numbers = _cast("{shape}", day_month if call.settings["day_first"] else month_day)
    branches = ["WHEN regexp_full_match(CAST(:x AS VARCHAR), :iso) THEN TRY_CAST(CAST(:x AS VARCHAR) AS DATE)"]
    if call.settings["day_first"] is not None:
        order = "\\3-\\2-\\1" if call.settings["day_first"] else "\\3-\\1-\\2"
        plain = f"TRY_CAST(regexp_replace(CAST(:x AS VARCHAR), :plain, '{order}') AS DATE)"
        branches.append(f"WHEN regexp_full_match(CAST(:x AS VARCHAR), :plain) THEN {plain}")
    branches += [
        _when("year_first", _cast("year_first", "\\1-\\2-\\3")),
        _by_year("numbers", numbers, 3),
        _by_year("day_name", _cast_named("{shape}", "{year}", 2, "\\1"), 3),
        _by_year("name_day", _cast_named("{shape}", "{year}", 1, "\\2"), 3),
        _when("year_name", _cast_named("year_name", "\\1", 2, "\\3")),
        _when("together", _cast("together", "\\1-\\2-\\3")),
    ]
    if call.settings["partial"]:
        branches += [
            _when("month_year", _cast_named("month_year", "\\2", 1, "01")),
            _when("year_month", _cast("year_month", "\\1-\\2-01")),
            _when("year", _cast("year", "\\1-01-01")),
        ]
    return f"CASE {' '.join(branches)} END"


def _filled(template: str, call: ScalarCall) -> exp.Expr:
    pivot = call.settings.get("pivot", 69)
    patterns: dict[str, str] = {**SHAPES, **CLOCKS}
    for shape, make in (("numbers", _numbers), ("day_name", _day_name), ("name_day", _name_day)):
        years = {"full": _FOUR, "19": _two(pivot, 100), "20": _two(0, pivot)}
        patterns |= {f"{shape}_{name}": make(year) for name, year in years.items()}
    parts: dict[str, exp.Expr] = {name: text(pattern) for name, pattern in patterns.items()}
    parts |= {"names": texts(NAMES), "months": texts(f"{month:02}" for month in NAMES.values())}
    used = {name: part for name, part in parts.items() if f":{name}" in template}
    return fill(template, x=call.arguments[0], **used)


def clean_date(call: ScalarCall) -> exp.Expr:
    """A DATE."""
    return _filled(_case(call), call)


HOUR_ALONE = "\\1:00 \\2m"
_HALF = "\\s*([ap])(?:[.]?\\s?m\\b[.]?|\\b|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\\b)"
_START = "(?:^|[^0-9:.])"
CLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "clock_24": "^\\s*([0-9]{1,2})\\s*[:h.]\\s*([0-9]{2})(:[0-9]{2}(?:[.][0-9]+)?)?\\s*$",
        "clock_12": f"^\\s*([0-9]{{1,2}})\\s*[:.]\\s*([0-9]{{2}})(:[0-9]{{2}})?{_HALF}\\s*$",
        "hour_12": "^\\s*(0?[1-9]|1[0-2])\\s*([ap])[.]?\\s?m\\b[.]?\\s*$",
        # Inside a text hour and minute stand with a colon: a point may be a decimal's.
        "inner_12": f"^.*?{_START}([0-9]{{1,2}}):([0-9]{{2}})(:[0-9]{{2}})?(?:[.][0-9]+)?{_HALF}.*$",
        "inner_24": f"^.*?{_START}([0-9]{{1,2}}):([0-9]{{2}})(:[0-9]{{2}}(?:[.][0-9]+)?)?(?:[^0-9:].*)?$",
        "zone": "^.*[0-9]\\s*([-+])([0-9]{2}):?([0-9]{2})\\s*$",
    }
)


def _at_24(shape: str) -> str:
    return _when(shape, f"TRY_CAST(regexp_replace({_T}, :{shape}, '\\1:\\2\\3') AS TIME)")


def _at_12(shape: str, order: str = "\\1:\\2\\3 \\4m") -> str:
    formats = "['%I:%M %p', '%I:%M:%S %p']"
    return _when(shape, f"CAST(try_strptime(regexp_replace({_T}, :{shape}, '{order}'), {formats}) AS TIME)")


_WHOLE_TIME = f"CASE {_at_24('clock_24')} {_at_12('clock_12')} {_at_12('hour_12', HOUR_ALONE)} END"
_INNER_TIME = f"CASE {_at_12('inner_12')} {_at_24('inner_24')} END"


def clean_time(call: ScalarCall) -> exp.Expr:
    """A TIME."""
    return _filled(_INNER_TIME if call.settings["anywhere"] else _WHOLE_TIME, call)


# What lies east of Greenwich was later there: UTC is the time less the offset.
_OFFSET = f"""
CASE WHEN regexp_matches({_T}, :inner_24) AND regexp_matches({_T}, :zone) THEN
    to_minutes(CASE regexp_extract({_T}, :zone, 1) WHEN '-' THEN 1 ELSE -1 END
        * (CAST(regexp_extract({_T}, :zone, 2) AS INTEGER) * 60 + CAST(regexp_extract({_T}, :zone, 3) AS INTEGER)))
    ELSE INTERVAL 0 MINUTE END
"""


def clean_timestamp(call: ScalarCall) -> exp.Expr:
    """A TIMESTAMP, in UTC where the text says its offset; midnight where it has no time."""
    return _filled(f"{_case(call)} + coalesce({_INNER_TIME}, TIME '00:00:00') + {_OFFSET}", call)


def clean_year(call: ScalarCall) -> exp.Expr:
    """The first year in a text; or with ``corrected`` the one in square brackets where there is one."""
    first = "regexp_extract(CAST(:x AS VARCHAR), '(?:^|[^0-9])([12][0-9]{3})(?:[^0-9]|$)', 1)"
    bracketed = "regexp_extract(CAST(:x AS VARCHAR), '\\[[^\\]0-9]*([12][0-9]{3})(?:[^0-9]|$)', 1)"
    year = f"coalesce(nullif({bracketed}, ''), {first})" if call.settings["corrected"] else first
    return fill(f"TRY_CAST(nullif({year}, '') AS BIGINT)", x=call.arguments[0])
