"""Idempotency keys: the answer to a request is kept under its key, and given again when the request comes again.

The store is a small SQLite file that all workers share; a request without the header never touches it. A key belongs
to the token it came with. What failed before it had an effect (bad input, overload) is not kept: it may be mended
and sent again under the same key.

References
----------
.. [1] The Idempotency-Key HTTP Header Field.
   https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
.. [2] https://docs.stripe.com/idempotency
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from tidemill.api.request import Request, Response
from tidemill.core.errors import ConflictError, RequestError, ReusedKeyError, UnavailableError

_T = TypeVar("_T")

LONGEST = 255
IN_WORK_S = 120.0
"""After this time a request that has no answer is taken for one whose worker died."""

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, began REAL NOT NULL, status INTEGER, headers BLOB, body BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_began ON answers (began);  -- each request drops what is too old
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: bytes
    response: Response | None


class Answered:
    """The answers by key.

    Parameters
    ----------
    hours
        How long an answer is kept.
    now_s
        Seconds since 1970.
    """

    def __init__(self, path: Path, *, hours: float, now_s: Callable[[], float]) -> None:
        self._path = path
        self._keep_s = hours * 3600.0
        self._now_s = now_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._connection: sqlite3.Connection | None = None

    async def once(self, request: Request, work: Callable[[], Awaitable[Response]]) -> Response:
        """Do the work of a request once for its key.

        Raises
        ------
        RequestError
            The key is empty or too long.
        ReusedKeyError
            Another request came with this key.
        ConflictError
            The same request is in work.
        """
        key, fingerprint = _names(request)
        kept = await self._run(lambda db: self._begin(db, key, fingerprint))
        if kept is not None:
            if kept.fingerprint != fingerprint:
                raise ReusedKeyError(
                    "this Idempotency-Key came with another request before", hint="give each request a key of its own"
                )
            if kept.response is None:
                raise ConflictError("the request with this Idempotency-Key is in work", hint="ask again in a moment")
            again = (*kept.response.headers, (b"idempotency-replayed", b"true"))
            return Response(kept.response.status, again, kept.response.body)
        try:
            response = await work()
        except BaseException:
            await self._run(lambda db: self._forget(db, key))
            raise
        await self._run(lambda db: self._end(db, key, response))
        return response

    def close(self) -> None:
        """Give the file back."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something with the file, beside the event loop."""

        def call() -> _T:
            try:
                return work(self._open())
            except sqlite3.Error as error:
                raise UnavailableError(
                    f"the store of idempotency keys cannot be used: {error}",
                    hint=f"look at {self._path} and its disk, or send the request without the key",
                ) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _begin(self, db: sqlite3.Connection, key: bytes, fingerprint: bytes) -> _Kept | None:
        """Take the key, or tell what is kept under it."""
        now = self._now_s()
        db.execute("BEGIN IMMEDIATE")
        try:
            row = db.execute(
                "SELECT fingerprint, began, status, headers, body FROM answers WHERE key = ?", (key,)
            ).fetchone()
            if row is not None:
                lasts = IN_WORK_S if row[2] is None else self._keep_s
                if now - row[1] < lasts:
                    return _Kept(row[0], None if row[2] is None else _response(row[2], row[3], row[4]))
            db.execute("DELETE FROM answers WHERE began < ?", (now - self._keep_s,))
            db.execute(
                "INSERT OR REPLACE INTO answers (key, fingerprint, began) VALUES (?, ?, ?)", (key, fingerprint, now)
            )
        finally:
            db.execute("COMMIT")
        return None

    def _end(self, db: sqlite3.Connection, key: bytes, response: Response) -> None:
        headers = msgspec.msgpack.encode(response.headers)
        db.execute(
            "UPDATE answers SET status = ?, headers = ?, body = ? WHERE key = ?",
            (response.status, headers, response.body, key),
        )

    def _forget(self, db: sqlite3.Connection, key: bytes) -> None:
        db.execute("DELETE FROM answers WHERE key = ? AND status IS NULL", (key,))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_TABLES)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _names(request: Request) -> tuple[bytes, bytes]:
    given = request.head[b"idempotency-key"]
    if not 0 < len(given) <= LONGEST:
        raise RequestError(f"an Idempotency-Key has 1 to {LONGEST} characters; this one has {len(given)}")
    who = request.who.encode()
    key = sha256(b"\0".join((who, given))).digest()
    target = b"\0".join((who, request.method.encode(), request.path.encode("utf-8", "surrogatepass"), request.query))
    return key, sha256(target + b"\0" + sha256(request.body).digest()).digest()


def _response(status: int, headers: bytes, body: bytes) -> Response:
    pairs = msgspec.msgpack.decode(headers, type=tuple[tuple[bytes, bytes], ...])
    return Response(status, pairs, body)
