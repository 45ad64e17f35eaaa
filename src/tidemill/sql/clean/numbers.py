"""Dirty numbers: a text is brought into one spelling, then cast once, so that nothing is rounded on the way."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp  # noqa: TID253

from tidemill.sql.clean.texts import text
from tidemill.sql.scalar_call import ScalarCall, fill

MINUS = "-\u2212\u2013"
# What stands between groups of digits, beside the one of point and comma that is not the decimal mark.
GROUPS = " '_\u2019\u00a0\u2009\u202f\u2007"
SYMBOLS = "$\u20ac\u00a3\u00a5\u20b9\u00a2\u20bd\u20a9\u20aa\u20ba\u20ab\u20b4\u20a6\u20b1\u0e3f\u20b8"
WORDS = (
    *("us\\$", "ca\\$", "c\\$", "a\\$", "hk\\$", "nz\\$", "r\\$", "usd", "eur", "gbp", "jpy", "chf", "cad", "aud"),
    *("nzd", "cny", "rmb", "inr", "brl", "mxn", "zar", "sek", "nok", "dkk", "pln", "czk", "huf", "ron", "try", "rub"),
    *("krw", "sgd", "hkd", "kr", "fr", "rs", "euros?", "dollars?", "pounds?"),
)
PLAIN = "-?[0-9]+([.][0-9]+)?"
# Letters that people and scanners put for digits, beside a digit.
LETTERS = (("oO", "0"), ("lI|", "1"))


def clean_number(call: ScalarCall) -> exp.Expr:
    """A DOUBLE."""
    return fill("TRY_CAST(:spelt AS DOUBLE)", spelt=_spelt(call))


def clean_integer(call: ScalarCall) -> exp.Expr:
    """A BIGINT; NULL for a number with decimals that are not zero, and for one too large."""
    return fill("TRY_CAST(nullif(regexp_extract(:spelt, '^(-?[0-9]+)([.]0*)?$', 1), '') AS BIGINT)", spelt=_spelt(call))


def clean_decimal(call: ScalarCall) -> exp.Expr:
    """A DECIMAL(38, scale); NULL for a number with more decimals than that."""
    scale = call.whole(1, 2, name="the number of decimals", low=0, high=37)
    fits = f"-?[0-9]*([.][0-9]{{0,{scale}}}0*)?(e[+]?[0-9]+)?"
    if scale >= 2:
        fits += f"|-?[0-9]*([.][0-9]{{0,{scale - 2}}}0*)?e-2"
    return fill(
        f"TRY_CAST(nullif(regexp_extract(:spelt, :fits), '') AS DECIMAL(38, {scale}))",
        spelt=_spelt(call),
        fits=text(f"^({fits})$"),
    )


def _digits(decimal: str) -> str:
    """The pattern of digits: by threes (or as in India by twos, then three), or not grouped; with decimals or not."""
    point, comma = ("[.]", ",") if decimal == "." else (",", ".")
    groups = f"[1-9][0-9]{{0,2}}(?:[{comma}{GROUPS}][0-9]{{2,3}})*[{comma}{GROUPS}][0-9]{{3}}"
    return f"(?:(?:{groups}|[0-9]+)(?:{point}[0-9]*)?(?:e[-+]?[0-9]+)?|{point}[0-9]+)"


def _grouped(decimal: str) -> str:
    """The pattern of digits in threes and nothing else: it is cheaper to put together than by `_translated`."""
    point, comma = ("[.]", ",") if decimal == "." else (",", "[.]")
    return f"-?(?:[1-9][0-9]{{0,2}}(?:{comma}[0-9]{{3}})+|[0-9]+)(?:{point}[0-9]+)?"


def _in_symbols(decimal: str) -> str:
    """The pattern of a number with nothing beside it that is longer than a character."""
    money = f"\\s*[{SYMBOLS}]?\\s*"
    inside = f"{money}{_digits(decimal)}{money}%?\\s*"
    return f"\\s*(?:[(]{inside}[)]|[{MINUS}+]?{inside}|[{SYMBOLS}]\\s*[{MINUS}+]\\s*{_digits(decimal)})\\s*"


def _in_words(decimal: str, units: Sequence[str]) -> str:
    """The pattern of a number beside a currency's name or a unit, or with its minus behind it."""
    money = f"(?:[{SYMBOLS}]|(?:{'|'.join(WORDS)})\\b?[.]?)?"
    words = "|".join(re.escape(word.strip().lower()) for word in units)
    unit = f"(?:\\s*(?:{words})[.]?)?" if words else ""
    inside = f"\\s*{money}\\s*{_digits(decimal)}\\s*{money}\\s*%?{unit}\\s*"
    return f"\\s*(?:[(]{inside}[)]|[{MINUS}+]?{inside}|{inside}[{MINUS}])\\s*"


def _first(decimal: str) -> str:
    """The pattern of the first number in a text; a sign stands at the beginning or behind a blank."""
    number = f"{_digits(decimal)}\\s*%?"
    signed = f"(?:^|\\s)([{MINUS}]\\s*[{SYMBOLS}]?{number})"
    return f"(?:{signed}|(?:^|[^0-9.,])({number}))(?:[.,]*(?:[^0-9.,]|$))"


def _translated(found: str, decimal: str) -> str:
    """The template of one spelling: brackets and dashes become a minus, the decimal mark a point, all else goes."""
    # The characters before ``:removed`` have a partner in the text behind it, the others have none.
    return f"translate({found}, '(\u2212\u2013{'' if decimal == '.' else ','}' || :removed_{_side(decimal)}, " + (
        "'---')" if decimal == "." else "'---.')"
    )


def _side(decimal: str) -> str:
    return "point" if decimal == "." else "comma"


# Behind currencies' names, where a point may end one: the digits alone.
_BARE = "(?:[a-z]+[.])?([.,]?[0-9][0-9.,\\s'_\u2019\u00a0\u2009\u202f\u2007]*(?:e[-+]?[0-9]+)?)"


def _branches(decimal: str, *, anywhere: bool) -> str:
    """The template's branches for one decimal mark."""
    side = _side(decimal)
    percent = "CASE WHEN contains({0}, '%') THEN :percent ELSE '' END"
    if anywhere:
        found = f"(regexp_extract(:t, :first_{side}, 1) || regexp_extract(:t, :first_{side}, 2))"
        return f"WHEN regexp_matches(:t, :first_{side}) THEN {_translated(found, decimal)} || {percent.format(found)}"
    bare = _translated("regexp_extract(:t, :bare, 1)", decimal)
    sign = "CASE WHEN regexp_matches(:t, :negative) THEN '-' ELSE '' END"
    return (
        f"WHEN regexp_full_match(:t, :symbols_{side}) THEN {_translated(':t', decimal)} || {percent.format(':t')} "
        f"WHEN regexp_full_match(:t, :words_{side}) THEN {sign} || {bare} || {percent.format(':t')}"
    )


def _spelt(call: ScalarCall) -> exp.Expr:
    """A number in one spelling as a text: ``-1234.5``, with ``e-2`` behind a percentage."""
    decimal, units, anywhere = (call.settings[name] for name in ("decimal", "units", "anywhere"))
    if anywhere and units:
        raise call.wrong("anywhere takes any text beside the number: leave units out")
    if anywhere and decimal == "EITHER":
        raise call.wrong("anywhere needs a decimal mark that is stated: with 'either' it might find a later number")
    # Most numbers are plain, and looking is cheaper than taking them apart.
    first = "WHEN regexp_full_match(:t, :plain) THEN :t"
    if decimal == "EITHER":
        first += " WHEN regexp_matches(:t, :both_ways) THEN NULL"
    elif not anywhere:
        joined = "replace(:t, ',', '')" if decimal == "." else "replace(replace(:t, '.', ''), ',', '.')"
        first += f" WHEN regexp_full_match(:t, :grouped) THEN {joined}"
    sides = (".", ",") if decimal == "EITHER" else (decimal,)
    template = f"CASE {first} {' '.join(_branches(side, anywhere=anywhere) for side in sides)} END"
    parts = {
        "plain": PLAIN if decimal == "." else "-?[0-9]+",
        "grouped": _grouped(decimal),
        "both_ways": "^[^0-9]*[1-9][0-9]{0,2}[.,][0-9]{3}([^0-9.,]|$)",
        "percent": "e-2" if call.settings["percent"] == "FRACTION" else "",
        "negative": f"^[^0-9]*[{MINUS}(]|[{MINUS}]\\s*$",
        "bare": _BARE,
    }
    for side, name in ((".", "point"), (",", "comma")):
        parts |= {
            f"symbols_{name}": _in_symbols(side),
            f"words_{name}": _in_words(side, units or ()),
            f"first_{name}": _first(side),
            f"removed_{name}": f"{',' if side == '.' else '.'}+)%\t\n\r{GROUPS}{SYMBOLS}",
        }
    used = {name: text(value) for name, value in parts.items() if f":{name}" in template}
    return fill(template, t=_text(call), **used)


def _text(call: ScalarCall) -> exp.Expr:
    written = "CAST(:x AS VARCHAR)"
    if call.settings["letters"]:
        for letters, digit in LETTERS:
            written = f"regexp_replace({written}, '([0-9][.,]?)[{letters}]', '\\1{digit}', 'g')"
            written = f"regexp_replace({written}, '[{letters}]([.,]?[0-9])', '{digit}\\1', 'g')"
    return fill(f"lower({written})", x=call.arguments[0])
