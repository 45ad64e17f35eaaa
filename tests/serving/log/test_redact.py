"""Values that must not be kept are hashed with a key or left out."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from tidemill.core.errors import CorruptError
from tidemill.serving.log.redact import hashed, log_key, redact, redact_keys

KEY = b"k" * 32
ROWS = b'{"rows":[{"Email":"a@b.nl","age":1.50,"city":"Oss"},{"Email":null,"age":2,"city":"Ede"}]}'
COLUMNS = b'{"columns":{"Email":["a@b.nl",null],"age":[1.50,2],"city":["Oss","Ede"]}}'


def test_a_hash_is_the_keyed_digest_of_the_text() -> None:
    expected = hmac.new(KEY, b"a@b.nl", hashlib.sha256).hexdigest()

    assert hashed("a@b.nl", KEY) == f"hmac:{expected}"
    assert hashed("a@b.nl", b"x" * 32) != hashed("a@b.nl", KEY)


def test_equal_values_stay_equal_however_they_are_written() -> None:
    assert hashed(42, KEY) == hashed(42.0, KEY) == hashed("42", KEY)
    assert hashed(True, KEY) == hashed("true", KEY)


def test_rows_are_redacted_and_other_values_keep_their_text() -> None:
    found = redact(ROWS, ["email"], ["CITY"], KEY)

    digest = hashed("a@b.nl", KEY)
    assert found == b'{"rows":[{"Email":"%s","age":1.50},{"Email":null,"age":2}]}' % digest.encode()


def test_columns_are_redacted_like_rows() -> None:
    found = json.loads(redact(COLUMNS, ["email"], ["city"], KEY))

    assert found == {"columns": {"Email": [hashed("a@b.nl", KEY), None], "age": [1.5, 2]}}


def test_a_row_that_could_not_be_read_stays_null() -> None:
    assert redact(b'{"rows":[null,{"city":"Oss"}]}', [], ["city"], KEY) == b'{"rows":[null,{}]}'


def test_nothing_is_changed_where_nothing_is_named() -> None:
    assert redact(ROWS, [], [], KEY) is ROWS


def test_keys_follow_their_column() -> None:
    assert redact_keys(["a", None], "id", hash_columns=["ID"], omit_columns=[], key=KEY) == [hashed("a", KEY), None]
    assert redact_keys(["a", None], "id", hash_columns=[], omit_columns=["Id"], key=KEY) == [None, None]
    assert redact_keys(["a", None], "id", hash_columns=["other"], omit_columns=[], key=KEY) == ["a", None]


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    key = log_key(tmp_path / "serve")

    assert log_key(tmp_path / "serve") == key
    assert len(key) == 32
    assert (tmp_path / "serve" / "log.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "serve").iterdir()] == ["log.key"]


def test_a_cut_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.key").write_bytes(b"short")

    with pytest.raises(CorruptError, match="does not hold a key"):
        log_key(tmp_path)
