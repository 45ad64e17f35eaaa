"""Texts: white space and invisible characters, words that mean nothing, keys to compare by, accepted values.

No regular expression stands inside a lambda: the engine would compile it anew for each vector of rows, which costs
ten times the work itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlglot import exp  # noqa: TID253

from tidemill.sql.scalar_call import ScalarCall, fill, number

# Control characters but white space, soft hyphens, zero-width blanks, marks of direction and byte order.
INVISIBLE = "[\\x01-\\x08\\x0e-\\x1f\\x7f-\\x{84}\\x{86}-\\x{9f}\\x{ad}\\x{200b}\\x{200e}\\x{200f}\\x{2060}\\x{feff}]+"
WHITE = "[\\s\\x{85}\\p{Z}\\x0b]+"
AROUND = "[\\s\\x{85}\\p{Z}\\x0b\\x{200b}\\x{feff}]*"
# What needs no work but at its ends and in its case; most texts are such, and looking is ten times cheaper than work.
TIDY = " *([!-~]+( [!-~]+)*)? *"
TIDY_KEY = " *([a-zA-Z0-9]+( [a-zA-Z0-9]+)*)? *"
# Letters that are no accented form of another, and their usual spelling.
LETTERS = ("øłđħıŧŋ", "oldhitn")
LIGATURES = (("ß", "ss"), ("æ", "ae"), ("œ", "oe"), ("þ", "th"), ("ð", "d"), ("ĳ", "ij"))
TYPOGRAPHIC = (
    "\u2018\u2019\u201a\u201b\u2032\u201c\u201d\u201e\u2033\u2010\u2011\u2012\u2013\u2014\u2212",
    "'''''\"\"\"\"------",
)

NULL_WORDS = (
    *("", "n/a", "n.a.", "na", "#n/a", "#na", "<na>", "nan", "null", "(null)", "<null>", "none", "nil", "-", "--"),
    *("---", ".", "..", "?", "??", "unknown", "missing", "not available", "not applicable", "not known", "no data"),
    *("undefined", "\\n"),
)
"""Words that stand for nothing, lower-case, without white space around them."""

YES = ("true", "t", "yes", "y", "1", "on")
NO = ("false", "f", "no", "n", "0", "off")


def texts(words: Iterable[str]) -> exp.Array:
    """An array of string literals."""
    return exp.Array(expressions=[exp.Literal.string(word) for word in words])


def text(value: str) -> exp.Expr:
    """A string literal."""
    return exp.Literal.string(value)


def clean_text(call: ScalarCall) -> exp.Expr:
    """Invisible characters out, white space single and none around, composed Unicode."""
    seen = "regexp_replace(CAST(:x AS VARCHAR), :invisible, '', 'g')"
    work = f"nfc_normalize(trim(regexp_replace({seen}, :white, ' ', 'g')))"
    parts = {"tidy": TIDY, "invisible": INVISIBLE, "white": WHITE}
    if call.settings["plain"]:
        work = f"translate({work}, :from_, :to_)"
        parts |= {"from_": TYPOGRAPHIC[0], "to_": TYPOGRAPHIC[1]}
    return fill(
        f"CASE WHEN regexp_full_match(CAST(:x AS VARCHAR), :tidy) THEN trim(CAST(:x AS VARCHAR)) ELSE {work} END",
        x=call.arguments[0],
        **{name: text(value) for name, value in parts.items()},
    )


def _one_of(words: Iterable[str]) -> exp.Expr:
    """A pattern of words, in any case, with white space around."""
    return text(f"(?i){AROUND}(?:{'|'.join(re.escape(word.strip()) for word in words)}){AROUND}")


def clean_nulls(call: ScalarCall) -> exp.Expr:
    """NULL for words that stand for nothing; all else as it is."""
    words = call.settings["words"]
    words = NULL_WORDS if words is None else words
    return fill(
        "CASE WHEN regexp_full_match(CAST(:x AS VARCHAR), :words) THEN NULL ELSE :x END",
        x=call.arguments[0],
        words=_one_of([*words, *(call.settings["also"] or ())]),
    )


def clean_boolean(call: ScalarCall) -> exp.Expr:
    """TRUE and FALSE for words that mean them, NULL for others."""
    yes, no = ([*known, *(call.settings[name] or ())] for known, name in ((YES, "yes"), (NO, "no")))
    both = sorted({word.strip().casefold() for word in yes} & {word.strip().casefold() for word in no})
    if both:
        raise call.wrong(f"'{both[0]}' cannot mean both yes and no")
    return fill(
        "CASE WHEN regexp_full_match(CAST(:x AS VARCHAR), :yes) THEN TRUE "
        "WHEN regexp_full_match(CAST(:x AS VARCHAR), :no) THEN FALSE END",
        x=call.arguments[0],
        yes=_one_of(yes),
        no=_one_of(no),
    )


def folded(tree: exp.Expr) -> exp.Expr:
    """The key of a text: lower-case letters and digits without accents, words apart by one blank."""
    spelt = "lower(strip_accents(lower(strip_accents(CAST(:x AS VARCHAR)))))"
    for letter, spelling in LIGATURES:
        spelt = f"replace({spelt}, '{letter}', '{spelling}')"
    return fill(
        "CASE WHEN regexp_full_match(CAST(:x AS VARCHAR), :tidy) THEN lower(trim(CAST(:x AS VARCHAR))) "
        f"ELSE trim(regexp_replace(translate({spelt}, :from_, :to_), :other, ' ', 'g')) END",
        x=tree,
        tidy=text(TIDY_KEY),
        from_=text(LETTERS[0]),
        to_=text(LETTERS[1]),
        other=text("[^\\p{L}\\p{N}\\p{M}]+"),
    )


def _folded_literal(item: exp.Expr) -> exp.Expr:
    """The key of a text that is written out: worked out here where that is sure to be the same.

    The engine folds no constants inside a lambda: it would work on each accepted value again for each row.
    """
    if item.name.isascii():
        return text(re.sub("[^a-z0-9]+", " ", item.name.lower()).strip())
    return folded(item)


def clean_fold(call: ScalarCall) -> exp.Expr:
    """The key of a text."""
    return folded(call.arguments[0])


# Of a key, what is nearest in the accepted keys: by edits, counted up to the limit of the call and of the key's length.
# Two that are equally near are a guess, and no answer.
_NEAREST = """
list_transform([:key], lambda tm_k: list_transform(
    [list_transform(:keys, lambda tm_a: CASE WHEN abs(length(tm_a) - length(tm_k)) <= :distance
        THEN damerau_levenshtein(tm_a, tm_k) END)],
    lambda tm_d: CASE WHEN list_min(tm_d) <= least(:distance, (length(tm_k) - 1) // 2)
        AND len(list_filter(tm_d, lambda tm_e: tm_e = list_min(tm_d))) = 1
        THEN (:accepted)[list_position(tm_d, list_min(tm_d))] END)[1])[1]
"""


def clean_category(call: ScalarCall) -> exp.Expr:
    """The accepted value that a text means: by its key, then by the fewest edits; or the other value."""
    accepted, distance, other = call.arguments[1], call.settings["distance"], call.settings["other"]
    if not isinstance(accepted, exp.Array) or not accepted.expressions:
        raise call.wrong("the accepted values are an array written out: ['a', 'b']")
    if not all(isinstance(item, exp.Literal) and item.is_string for item in accepted.expressions):
        raise call.wrong("the accepted values are texts")
    parts = {
        "key": folded(call.arguments[0]),
        "keys": exp.Array(expressions=[_folded_literal(item) for item in accepted.expressions]),
        "accepted": accepted,
    }
    answers = ["(:accepted)[list_position(:keys, :key)]"]
    if distance:
        answers.append(_NEAREST)
        parts["distance"] = number(distance)
    if other is not None:
        answers.append("CASE WHEN :x IS NOT NULL THEN :other END")
        parts |= {"other": text(other), "x": call.arguments[0]}
    return fill(f"coalesce({', '.join(answers)})" if len(answers) > 1 else answers[0], **parts)
