"""Personal data: what it looks like, how a checksum tells it from other texts, and how it is hidden when shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST_SHARE = 0.01  # a column is suspected when so many of its values look so
LEAST_CHECKED = 0.5  # and so many of those pass the check


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """A kind of personal data.

    Parameters
    ----------
    pattern
        What the whole text matches, in a syntax that the engine (RE2) and Python share.
    check
        Whether a text that matches is one; always, when nothing can be computed.
    least
        The share of a column's values below which nothing is said.
    """

    name: str
    doc: str
    pattern: str
    check: Callable[[str], bool] | None = None
    least: float = LEAST_SHARE


def passes_luhn(text: str) -> bool:
    """Whether the digits end with the check digit of payment cards.

    References
    ----------
    ISO/IEC 7812-1, annex B.
    """
    digits = [int(char) for char in text if char.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the letters and digits of an account number leave 1 when divided by 97.

    References
    ----------
    ISO 13616-1, section 5; ISO/IEC 7064, MOD 97-10.
    """
    plain = re.sub(r"\s", "", text).upper()
    turned = plain[4:] + plain[:4]
    return turned.isalnum() and int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def is_address(text: str) -> bool:
    """Whether it is an IP address of version 4 or 6."""
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True


PERSONAL = (
    Personal(
        name="e-mail", doc="An address such as ann@example.org.",
        pattern=r"\s*[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\s*",
    ),
    Personal(
        name="phone",
        doc="A number with + before it, or in groups: +41 44 668 18 00, (212) 555-0199.",
        pattern=r"\s*(\+[0-9][0-9 ().\-/]{6,18}[0-9]|\(?0?[0-9]{2,4}\)?[ ./-][0-9]{3,4}([ ./-][0-9]{2,4}){1,3})\s*",
        least=0.5,
    ),
    Personal(
        name="IBAN",
        doc="A bank account whose check digits hold (MOD 97-10).",
        pattern=r"\s*[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,4})?\s*",
        check=is_iban,
    ),
    Personal(
        name="card number",
        doc="13 to 19 digits whose check digit holds (Luhn).",
        pattern=r"\s*([2-6][0-9]{3}([ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{5})\s*",
        check=passes_luhn,
    ),
    Personal(
        name="IP address",
        doc="An address of a machine, IPv4 or IPv6.",
        pattern=r"\s*([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}(\.[0-9]{1,3}){0,3})\s*",
        check=is_address,
    ),
)  # fmt: skip
"""Every kind a profile looks for."""


def share_passing(kind: Personal, texts: Sequence[str]) -> float:
    """Of texts that match a kind's pattern, the share that passes its check."""
    if kind.check is None or not texts:
        return 1.0 if texts else 0.0
    return sum(map(kind.check, texts)) / len(texts)


def masked(value: object) -> str:
    """A value whose letters and digits are hidden, but for the first: its shape stays."""
    text = str(value)
    first = re.search(r"\w", text)
    start = first.end() if first else 0
    return text[:start] + re.sub(r"\w", "•", text[start:])
