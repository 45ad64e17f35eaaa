"""Parquet files put together without reading a value: row groups are copied as they are, one new footer names them.

A footer is a Thrift structure in the compact protocol. It is read here into plain lists that know nothing of Parquet,
shifted where it names places in the file, and written again.

References
----------
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tidemill.core.errors import CorruptError

MAGIC = b"PAR1"
_TAIL = 8  # the footer's length and the magic
_PIECE = 1 << 24

# Thrift's compact types.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

Struct = dict[int, tuple[int, Any]]
"""Fields by id, in order: a type and a value. A list is (element type, values)."""

# Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROWS, _GROUPS = 3, 4
_GROUP_COLUMNS, _GROUP_OFFSET, _GROUP_ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_META, _CHUNK_INDEXES = 2, 3, (4, 5, 6, 7)
_META_OFFSETS = (9, 10, 11)
_META_BLOOM = (14, 15)


def join_parquet(parts: Sequence[Path], target: Path, *, seen: Callable[[bytes], None]) -> None:
    """Write one file with the row groups of all, in order.

    Parameters
    ----------
    parts
        Files with the same columns, written by the same writer.
    seen
        Told every piece that is written, so that it can be hashed on its way.

    Raises
    ------
    CorruptError
        A part is no Parquet file.
    """
    whole: Struct = {}
    with target.open("wb") as out:

        def write(data: bytes) -> None:
            seen(data)
            out.write(data)

        write(MAGIC)
        place = len(MAGIC)
        for part in parts:
            footer, start = _read_footer(part)
            _shift(footer, place - len(MAGIC))
            _copy(part, start, write)
            place += start - len(MAGIC)
            whole = _add(whole, footer)
        data = _Writer().struct(whole)
        write(data + len(data).to_bytes(4, "little") + MAGIC)


def _read_footer(path: Path) -> tuple[Struct, int]:
    """The footer of a file, and where it begins."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        length = int.from_bytes(tail[:4], "little")
        start = size - _TAIL - length
        if tail[4:] != MAGIC or start < len(MAGIC):
            raise CorruptError(f"{path} is not a whole Parquet file", hint="run the command again", file=str(path))
        file.seek(start)
        return _Reader(file.read(length)).struct(), start


def _copy(path: Path, stop: int, write: Callable[[bytes], None]) -> None:
    """Copy what stands between the magic and the footer."""
    with path.open("rb") as file:
        file.seek(len(MAGIC))
        left = stop - len(MAGIC)
        while left:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise CorruptError(f"{path} became shorter while it was read", file=str(path))
            write(piece)
            left -= len(piece)


def _shift(footer: Struct, by: int) -> None:
    """Move every place that a footer names; indexes and filters, which name places of their own, are left out."""
    for group in footer[_GROUPS][1][1]:
        group.pop(_GROUP_ORDINAL, None)
        _move(group, _GROUP_OFFSET, by)
        for chunk in group[_GROUP_COLUMNS][1][1]:
            for name in _CHUNK_INDEXES:
                chunk.pop(name, None)
            _move(chunk, _CHUNK_OFFSET, by)
            meta = chunk[_CHUNK_META][1]
            for name in _META_BLOOM:
                meta.pop(name, None)
            for name in _META_OFFSETS:
                _move(meta, name, by)


def _move(struct: Struct, name: int, by: int) -> None:
    # Writers put 0 where they say nothing: no page stands there.
    if name in struct and struct[name][1]:
        kind, value = struct[name]
        struct[name] = (kind, value + by)


def _add(whole: Struct, footer: Struct) -> Struct:
    if not whole:
        return footer
    groups, more = whole[_GROUPS][1], footer[_GROUPS][1]
    whole[_ROWS] = (whole[_ROWS][0], whole[_ROWS][1] + footer[_ROWS][1])
    whole[_GROUPS] = (_LIST, (_STRUCT, [*groups[1], *more[1]]))
    return whole


class _Reader:
    """Reads the compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Struct:
        """Fields up to the stop."""
        found: Struct = {}
        last = 0
        while True:
            head = self._byte()
            kind = head & 0x0F
            if not head:
                return found
            last = last + (head >> 4) if head >> 4 else self._zigzag()
            found[last] = (kind, kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind))

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):  # of a list
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._zigzag()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 != 15 else self._varint()
            return head & 0x0F, [self._value(head & 0x0F) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct()
        raise CorruptError(f"a Parquet footer has a field of type {kind}, which Parquet does not use")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


class _Writer:
    """Writes what `_Reader` read."""

    def struct(self, fields: Struct) -> bytes:
        """Fields and the stop."""
        out = bytearray()
        last = 0
        for name, (kind, value) in sorted(fields.items()):
            shown = (_TRUE if value else _FALSE) if kind in (_TRUE, _FALSE) else kind
            step = name - last
            out += bytes([step << 4 | shown]) if 0 < step < 16 else bytes([shown]) + _zigzag(name)
            if kind not in (_TRUE, _FALSE):
                out += self._value(kind, value)
            last = name
        return bytes(out) + b"\0"

    def _value(self, kind: int, value: Any) -> bytes:
        if kind in (_TRUE, _FALSE, _BYTE):
            return bytes([value])
        if kind in (_I16, _I32, _I64):
            return _zigzag(value)
        if kind == _DOUBLE:
            return bytes(value)
        if kind == _BINARY:
            return _varint(len(value)) + bytes(value)
        if kind in (_LIST, _SET):
            inner, items = value
            head = bytes([len(items) << 4 | inner]) if len(items) < 15 else bytes([0xF0 | inner]) + _varint(len(items))
            return head + b"".join(self._value(inner, item) for item in items)
        return self.struct(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
