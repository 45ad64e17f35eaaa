"""What callers sent becomes one JSON text a row, however it was written."""

from __future__ import annotations

import json

import pytest

from tidemill.serving.log.expand import split_inputs


@pytest.mark.parametrize(
    "inputs",
    [
        b'{"rows":[{"a":2,"b":"x"}]}',
        b' { "rows" : [ {"a":2,"b":"x"} ] } ',
        b'{"columns":{"a":[2],"b":["x"]}}',
        # Of a name that stands twice the model reads the last, and so does the log.
        b'{"rows":[{"a":1,"b":"x"}],"rows":[{"a":2,"b":"x"}]}',
    ],
    ids=["as the server writes it", "with spaces", "by column", "rows twice"],
)
def test_one_row_is_the_text_of_one_object(inputs: bytes) -> None:
    (row,) = split_inputs(inputs, 1)

    assert json.loads(row) == {"a": 2, "b": "x"}


def test_a_row_that_could_not_be_read_is_null() -> None:
    assert split_inputs(b'{"rows":[null,{"a":1}]}', 2) == ["null", '{"a":1}']


def test_numbers_keep_their_text() -> None:
    assert split_inputs(b'{"columns":{"a":[1.50,1e3]}}', 2) == ['{"a":1.50}', '{"a":1e3}']


@pytest.mark.parametrize("inputs", [b"{}", b"[]", b"", b'{"rows":[{}]}', b'{"columns":{"a":[1]}}', b'{"rows":[{},{}'])
def test_what_is_not_as_many_rows_is_refused(inputs: bytes) -> None:
    with pytest.raises(ValueError, match="rows|JSON|object|truncated"):
        split_inputs(inputs, 2)
