"""Fingerprints are those of Google's farmhash (Fingerprint64 of its C++ library, printed with pyfarmhash 0.4)."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.farm import fingerprint, fingerprints, signed_fingerprints

BASE = "".join(chr(97 + (i * 7) % 26) for i in range(300))
KNOWN = {0: 11160318154034397263, 1: 12917804110809363939, 2: 7334479770752477263, 3: 3268219959478574187,
         4: 8899178591127745170, 7: 17088493756539222794, 8: 10643460534063147040, 9: 17221811645977154638,
         15: 11791221699636333675, 16: 17624453864830929246, 17: 2237273621417572890, 24: 15616007536954119532,
         31: 626755416451493349, 32: 10824083725960157628, 33: 8045080651094301868, 48: 14934853808105169872,
         63: 17616674404211046101, 64: 16149515108185634462, 65: 2768067016444695309, 80: 18100991506866334342,
         127: 4960837163188540313, 128: 10481128642166395277, 129: 1060550032972533880, 200: 15075557378531049012,
         300: 7893790802151464326}  # fmt: skip


@pytest.mark.parametrize("size", KNOWN)
def test_strings_of_every_length_hash_as_farmhash_does(size: int) -> None:
    assert fingerprint(BASE[:size]) == KNOWN[size]


def test_letters_beyond_ascii_hash_as_their_bytes() -> None:
    assert fingerprint("日本語テキスト") == 1653575045406466613


@pytest.mark.parametrize(
    ("text", "published"),
    [("1footrue", -1541654101129638711), ("2applefalse", 2794438866806483259), ("3true", -4880158226897771312)],
)
def test_the_fingerprints_of_the_reference_page_come_out(text: str, published: int) -> None:
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint
    assert fingerprint(text) == published % 2**64


def test_published_buckets_are_unsigned_remainders() -> None:
    assert [fingerprint(text) % 3 for text in "abcd"] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("foo", 6150913649986995171),
        ("alphabet", -2427165924636348523),
        ("Amazon Redshift", 8085098817162212970),
        ("UserCustomerID + salt", -3587376224092439943),
    ],
)
def test_a_column_hashes_to_the_signed_numbers_others_print(text: str, published: int) -> None:
    # The first is dbcrossbar's, the third https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html
    assert signed_fingerprints(pa.array([None, text])).to_pylist() == [None, published]


@given(st.lists(st.none() | st.text(max_size=150)), st.integers(0, 5))
def test_a_column_hashes_as_its_strings_one_by_one_do(texts: list[str | None], cut: int) -> None:
    column = pa.array(texts, pa.string()).slice(min(cut, len(texts)))
    assert fingerprints(column).to_pylist() == [None if text is None else fingerprint(text) for text in texts[cut:]]


def test_a_column_of_long_texts_hashes_as_farmhash_does() -> None:
    assert fingerprints(pa.array([BASE[:size] for size in KNOWN])).to_pylist() == list(KNOWN.values())
