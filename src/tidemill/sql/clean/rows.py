"""One row for each CLEAN function: what it takes, what it gives, and examples that tests run."""

from __future__ import annotations

from typing import Literal

from tidemill.model_types.base import Option
from tidemill.sql.function_versions import version_of
from tidemill.sql.functions_base import Example, MLFunction, TableExample

_ONCE = Option(
    name="distinct_first",
    kind="bool",
    default=False,
    doc="Works on each different value once and joins the answers back. It pays where values repeat; the order of "
    "rows is lost, and the rows are held in memory. Nothing changes in TRANSFORM.",
)
_PIVOT = Option(
    name="pivot",
    kind="int",
    default=69,
    low=0,
    high=100,
    doc="Two-digit years from this one on are 19xx, those below it 20xx.",
)
_DAY_FIRST = Option(
    name="day_first",
    kind="bool",
    doc="Whether 03/04/2005 is in April (TRUE) or in March (FALSE). Without it, days and months in numbers are read "
    "where only one order is possible, and are NULL where both are.",
)
_PARTIAL = Option(
    name="partial", kind="bool", default=False, doc="A month or a year alone is its first day; otherwise NULL."
)
_DATES = (_DAY_FIRST, _PIVOT, _PARTIAL, _ONCE)
_NUMBERS = (
    Option(
        name="decimal",
        kind="enum",
        default=".",
        choices=(".", ",", "EITHER"),
        doc="The decimal mark; the other one of point and comma joins thousands. 'EITHER' reads each value as it can "
        "be read, and gives NULL for 1,234 and 1.234, which can be read both ways.",
    ),
    Option(
        name="percent",
        kind="enum",
        default="FRACTION",
        choices=("FRACTION", "NUMBER"),
        doc="5% is 0.05, or 5.",
    ),
    Option(
        name="units", kind="strings", doc="Words that may stand behind the number; a point after them is no matter."
    ),
    Option(
        name="anywhere",
        kind="bool",
        default=False,
        doc="Takes the first number of the text, whatever stands beside it. Otherwise a text that is more than a "
        "number, its currency and its unit is NULL.",
    ),
    Option(
        name="letters",
        kind="bool",
        default=False,
        doc="Reads o and O beside a digit as 0; l, I and | as 1.",
    ),
    _ONCE,
)

SPREADSHEET = (("'1,234.50'", "1234.5"), ("'$ 28815245'", "28815245.0"), ("'(1,200)'", "-1200.0"))


def _row(
    name: str,
    kind: Literal["scalar", "analytic", "table"],
    arguments: tuple[int, int],
    *,
    doc: str,
    output: str,
    settings: tuple[Option, ...] = (),
    window: Literal["", "partition", "order"] = "",
    examples: tuple[Example | TableExample, ...],
) -> MLFunction:
    return MLFunction(
        name=f"CLEAN.{name}",
        kind=kind,
        doc=doc,
        url="",
        output=output,
        inputs=(1, 1) if kind == "table" else (0, 0),
        arguments=arguments,
        settings=settings,
        window=window,
        examples=examples,
        version=version_of(f"CLEAN.{name}"),
    )


def _calls(*pairs: tuple[str, str | None]) -> tuple[Example, ...]:
    return tuple(Example(given=given, gives=gives) for given, gives in pairs)


TEXTS = (
    _row(
        "TEXT",
        "scalar",
        (1, 1),
        doc="(x[, settings]): no white space around, single blanks inside (line breaks, tabs and no-break spaces are "
        "white space), no invisible characters, composed Unicode (NFC).",
        output="STRING",
        settings=(
            Option(
                name="plain",
                kind="bool",
                default=False,
                doc="Typographic quotes and dashes become ', \" and -.",
            ),
            _ONCE,
        ),
        examples=_calls(
            ("'  New \t York\u00a0 '", "New York"),
            ("'caf' || 'e' || chr(769)", "caf\u00e9"),
            ("'\u201cso\u201d \u2013 he said', plain => TRUE", '"so" - he said'),
            ("NULL", None),
        ),
    ),
    _row(
        "NULLS",
        "scalar",
        (1, 1),
        doc="(x[, settings]): NULL where x is a word for nothing (N/A, NULL, nan, none, unknown, -, ?, the empty "
        "text and others, in any case, with white space around), else x as it is.",
        output="as x",
        settings=(
            Option(name="also", kind="strings", doc="More words that stand for nothing."),
            Option(name="words", kind="strings", doc="The words, instead of the list that is built in."),
        ),
        examples=_calls(
            ("' N/A '", None),
            ("'unknown'", None),
            ("'Nantes'", "Nantes"),
            ("'Contact Airline', also => ['contact airline']", None),
            ("'none', words => ['-']", "none"),
        ),
    ),
    _row(
        "FOLD",
        "scalar",
        (1, 1),
        doc="(x[, settings]): a key to compare texts by: lower case, no accents, letters and digits alone, words "
        "apart by one blank.",
        output="STRING",
        settings=(_ONCE,),
        examples=_calls(
            ("'  S\u00c3O-Paulo (SP) '", "sao paulo sp"),
            ("'Kj\u00f8benhavn'", "kjobenhavn"),
            ("'Stra\u00dfe'", "strasse"),
        ),
    ),
    _row(
        "CATEGORY",
        "scalar",
        (2, 2),
        doc="(x, [accepted values][, settings]): the accepted value that has the key (see CLEAN.FOLD) of x; with "
        "distance also the nearest by edits, when no other is as near.",
        output="STRING",
        settings=(
            Option(
                name="distance",
                kind="int",
                default=0,
                low=0,
                high=10,
                doc="The most edits (a letter put in, left out or changed, or two neighbours swapped); always fewer "
                "than half of the key's letters.",
            ),
            Option(name="other", kind="str", doc="What all other values become; NULL without it."),
            _ONCE,
        ),
        examples=_calls(
            ("'new-zealand', ['USA', 'New Zealand']", "New Zealand"),
            ("'New Zesland', ['USA', 'New Zealand'], distance => 2", "New Zealand"),
            ("'Zealand', ['USA', 'New Zealand'], distance => 2", None),
            ("'Mars', ['USA', 'New Zealand'], other => 'elsewhere'", "elsewhere"),
        ),
    ),
    _row(
        "BOOLEAN",
        "scalar",
        (1, 1),
        doc="(x[, settings]): TRUE for true, t, yes, y, on and 1, FALSE for false, f, no, n, off and 0, in any case; "
        "NULL for others.",
        output="BOOL",
        settings=(
            Option(name="yes", kind="strings", doc="More words for TRUE."),
            Option(name="no", kind="strings", doc="More words for FALSE."),
        ),
        examples=_calls(
            ("' Yes'", "True"), ("'0'", "False"), ("'maybe'", None), ("'ja', yes => ['ja'], no => ['nein']", "True")
        ),
    ),
)

NUMBERS = (
    _row(
        "NUMBER",
        "scalar",
        (1, 1),
        doc="(x[, settings]): the number that a text is, with thousands separators, currency, percent sign, brackets "
        "or a minus behind for negatives; NULL for what is no number. A FLOAT64 holds about 15 digits: see "
        "CLEAN.INTEGER and CLEAN.DECIMAL for more.",
        output="FLOAT64",
        settings=_NUMBERS,
        examples=_calls(
            *SPREADSHEET,
            ("'1.234,5', decimal => ','", "1234.5"),
            ("'12.5 %'", "0.125"),
            ("'12.0 oz.', units => ['oz', 'ounce']", "12.0"),
            ("'16.0 oz. Alumi-Tek', anywhere => TRUE", "16.0"),
            ("'4o8,035,783'", None),
            ("'4o8,035,783', letters => TRUE", "408035783.0"),
            ("'1.234', decimal => 'either'", None),
            ("'nan'", None),
        ),
    ),
    _row(
        "INTEGER",
        "scalar",
        (1, 1),
        doc="(x[, settings]): as CLEAN.NUMBER, for whole numbers, exact; NULL for others and for those beyond 64 bits.",
        output="INT64",
        settings=_NUMBERS,
        examples=_calls(
            ("'9007199254740993'", "9007199254740993"),
            ("'9,007,199,254,740,993.0'", "9007199254740993"),
            ("'12.5'", None),
            ("'2.278.845', decimal => ','", "2278845"),
        ),
    ),
    _row(
        "DECIMAL",
        "scalar",
        (1, 2),
        doc="(x[, decimals, 2 without it][, settings]): as CLEAN.NUMBER, exact; NULL for a number with more decimals "
        "than that: nothing is rounded.",
        output="DECIMAL(38, decimals)",
        settings=_NUMBERS,
        examples=_calls(
            ("'\u20ac 1.234,50', decimal => ','", "1234.50"),
            ("'0.1234'", None),
            ("'0.1234', 4", "0.1234"),
            ("'12.5%', 3", "0.125"),
        ),
    ),
)

DATES = (
    _row(
        "DATE",
        "scalar",
        (1, 1),
        doc="(x[, settings]): the date that a text is, in whatever form: 2004-02-22, 22.02.2004, 22 Feb 04, February "
        "22nd, 2004; month names in English, German, French, Spanish, Italian, Portuguese and Dutch. NULL for what "
        "is no date, and for days that no calendar has.",
        output="DATE",
        settings=_DATES,
        examples=_calls(
            ("'23rd December of 1966 '", "1966-12-23"),
            ("'22 Feb 04'", "2004-02-22"),
            ("'09 21 1972'", "1972-09-21"),
            ("' 23 -07-2008'", "2008-07-23"),
            ("'The 6th of marzo, year 1951'", "1951-03-06"),
            ("'03/04/2005'", None),
            ("'03/04/2005', day_first => TRUE", "2005-04-03"),
            ("'10-29-99'", "1999-10-29"),
            ("'10-29-99', day_first => TRUE", None),
            ("'21-11-46', pivot => 30", "1946-11-21"),
            ("'1984-02-34'", None),
            ("'Feb 2004'", None),
            ("'Feb 2004', partial => TRUE", "2004-02-01"),
        ),
    ),
    _row(
        "TIMESTAMP",
        "scalar",
        (1, 1),
        doc="(x[, settings]): the date and time of day that a text says, midnight without a time; in UTC where the "
        "text says its offset.",
        output="TIMESTAMP",
        settings=_DATES,
        examples=_calls(
            ("'22 Feb 04 7:10 p.m.'", "2004-02-22 19:10:00"),
            ("'2004-02-22T19:10:05.25+02:00'", "2004-02-22 17:10:05.250000"),
            ("'22.02.2004'", "2004-02-22 00:00:00"),
        ),
    ),
    _row(
        "TIME",
        "scalar",
        (1, 1),
        doc="(x[, settings]): the time of day that a text is, of 12 or 24 hours.",
        output="TIME",
        settings=(
            Option(
                name="anywhere",
                kind="bool",
                default=False,
                doc="Takes the first time (with a colon) in the text, whatever stands beside it.",
            ),
            _ONCE,
        ),
        examples=_calls(
            ("'7:10 a.m.'", "07:10:00"),
            ("'12:05am'", "00:05:00"),
            ("'19h30'", "19:30:00"),
            ("'25:10'", None),
            ("'12/02 6:55 p.m. (estimated)', anywhere => TRUE", "18:55:00"),
        ),
    ),
    _row(
        "YEAR",
        "scalar",
        (1, 1),
        doc="(x[, settings]): the first year of four digits, 1000 to 2999, in a text.",
        output="INT64",
        settings=(
            Option(
                name="corrected",
                kind="bool",
                default=False,
                doc="The year in square brackets where there is one, as cataloguers correct a printed year.",
            ),
        ),
        examples=_calls(
            ("'1879 [1878]'", "1879"),
            ("'1879 [1878]', corrected => TRUE", "1878"),
            ("'1839, 38-54'", "1839"),
            ("'[c. 1850?]'", "1850"),
            ("'no date'", None),
        ),
    ),
)

_READINGS = "VALUES ('a', 1, 20.0), ('a', 2, NULL), ('a', 3, 24.0), ('b', 1, 5.0), ('b', 2, NULL)"

GROUPS = (
    _row(
        "FILL",
        "analytic",
        (2, 2),
        doc="(x, 'mean' | 'median' | 'mode' | 'forward' | 'backward' | 'linear'[, settings]) OVER (...): a value in "
        "place of NULL. Mean, median and mode are those of PARTITION BY's group; forward (the last value before), "
        "backward and linear (between both; NULL before the first and after the last) need ORDER BY. For a constant, "
        "SQL has COALESCE(x, 0).",
        output="as x; FLOAT64 for mean, median and linear",
        window="order",
        settings=(
            Option(
                name="most",
                kind="int",
                low=1,
                high=1_000_000,
                doc="How many rows a value is carried at most, forward and backward.",
            ),
        ),
        examples=(
            TableExample(
                columns=("k", "t", "x"),
                rows=_READINGS,
                call="CLEAN.FILL(x, 'forward') OVER (PARTITION BY k ORDER BY t)",
                gives=("20.0", "20.0", "24.0", "5.0", "5.0"),
            ),
            TableExample(
                columns=("k", "t", "x"),
                rows=_READINGS,
                call="CLEAN.FILL(x, 'mean') OVER (PARTITION BY k)",
                gives=("20.0", "22.0", "24.0", "5.0", "5.0"),
            ),
            TableExample(
                columns=("k", "t", "x"),
                rows=_READINGS,
                call="CLEAN.FILL(x, 'linear') OVER (PARTITION BY k ORDER BY t)",
                gives=("20.0", "22.0", "24.0", "5.0", None),
            ),
        ),
    ),
    _row(
        "MAJORITY",
        "analytic",
        (1, 1),
        doc="(x) OVER (PARTITION BY ...): the most frequent value of the group, for sources that contradict one "
        "another; where two are equally frequent, each row keeps what it has.",
        output="as x",
        window="partition",
        examples=(
            TableExample(
                columns=("zip", "city"),
                rows="VALUES (35233, 'birmingham'), (35233, 'birmingham'), (35233, 'birminghxm'), (10, 'x'), (10, 'y')",
                call="CLEAN.MAJORITY(city) OVER (PARTITION BY zip)",
                gives=("birmingham", "birmingham", "birmingham", "x", "y"),
            ),
        ),
    ),
    _row(
        "RARE",
        "analytic",
        (1, 1),
        doc="(x, least => rows | share => share[, settings]) OVER (...): values that are rare in the group become one.",
        output="STRING",
        window="partition",
        settings=(
            Option(name="least", kind="int", low=1, high=10**12, doc="Values with fewer rows are rare."),
            Option(
                name="share",
                kind="float",
                low=0,
                high=1,
                low_open=True,
                high_open=True,
                doc="Values with a smaller share of the rows that have a value are rare.",
            ),
            Option(name="other", kind="str", default="other", doc="What rare values become."),
        ),
        examples=(
            TableExample(
                columns=("i", "x"),
                rows="VALUES (1, 'ale'), (2, 'ale'), (3, 'gose'), (4, NULL)",
                call="CLEAN.RARE(x, least => 2) OVER ()",
                gives=("ale", "ale", "other", None),
            ),
        ),
    ),
    _row(
        "IS_OUTLIER",
        "analytic",
        (1, 1),
        doc="(x[, settings]) OVER (...): whether a number lies far from its group.",
        output="BOOL",
        window="partition",
        settings=(
            Option(
                name="method",
                kind="enum",
                default="IQR",
                choices=("IQR", "ZSCORE", "MAD"),
                doc="Outside of Tukey's fences; further from the mean than some standard deviations; or from the "
                "median than some median absolute deviations / 0.6745, which outliers themselves hardly move.",
            ),
            Option(
                name="threshold",
                kind="float",
                low=0,
                low_open=True,
                doc="How far: 1.5 distances of the quartiles, 3 deviations, or 3.5 of the modified score without it.",
            ),
        ),
        examples=(
            TableExample(
                columns=("x",),
                rows="VALUES (1.0), (2.0), (3.0), (4.0), (100.0)",
                call="CLEAN.IS_OUTLIER(x) OVER ()",
                gives=("False", "False", "False", "False", "True"),
            ),
        ),
    ),
)

TABLES = (
    _row(
        "LATEST",
        "table",
        (2, 2),
        doc="(TABLE t | (query), 'key' | ['key', ...], 'order' | ['order', ...]): one row of each key, the last in "
        "the order. Rows whose key is NULL, or has a part that is, are all kept: they have no key in common. Of rows "
        "that are equal in both, a hash of all columns decides, so that it is always the same one.",
        output="the columns of t",
        examples=(
            TableExample(
                columns=("id", "updated", "city"),
                rows="VALUES (1, 10, 'Rom'), (1, 12, 'Rome'), (2, 11, 'Oslo'), (NULL, 9, '?')",
                call="CLEAN.LATEST(TABLE t, 'id', 'updated')",
                gives=("(1, 12, 'Rome')", "(2, 11, 'Oslo')", "(None, 9, '?')"),
            ),
        ),
    ),
)
