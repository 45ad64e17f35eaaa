"""Labels from a table, a view, a query or a file: checked like those that come over HTTP, and taken in by the same log.

A delivery reads its source once. What the log knows already is left out, what is no label is put aside with its number
and its reason (``tidemill.rejects``), the rest is on disk in the spool before the delivery is written down. A delivery
that was killed between leaves labels that the next one knows already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidemill.core.digest import digest_value
from tidemill.core.errors import InputError, SettingsError, TidemillError, TransientError, as_trouble
from tidemill.core.faults import fault
from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.runner.batch.source import Source, open_source
from tidemill.runner.deploy import deployment_of
from tidemill.runner.erased_rows import erased_people
from tidemill.runner.label_columns import LabelRequest, columns_of, rules_of
from tidemill.serving.labels.joined import LOG, Part, Relations, labels_sql
from tidemill.serving.log.label_rules import LabelRules, hide_keys
from tidemill.serving.log.label_values import TRUTHS
from tidemill.serving.log.records import LabelRecord, LabelRow, encode
from tidemill.serving.log.redact import log_key
from tidemill.serving.log.texts import text_of
from tidemill.serving.log.writer import LogWriter
from tidemill.sources.bad_rows import SHOWN_BAD_ROWS, BadRow
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.label_deliveries import Delivery, save_delivery, was_delivered, watermark_of
from tidemill.warehouse.control.leases import held, require
from tidemill.warehouse.control.rejects import save_rejects

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session

CHUNK_ROWS = 200_000
RECORD_ROWS = 5_000
LOOK_BACK = timedelta(days=1)
"""Rows are read again from so long before the newest time a source knew: some are written late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What came of a delivery. ``already``: the same rows had been delivered before, and were not read."""

    delivery: Delivery
    already: bool = False
    refused: tuple[BadRow, ...] = ()


@dataclass(slots=True)
class _Counts:
    rows: int = 0
    taken: int = 0
    known: int = 0
    refused: int = 0
    watermark: str = ""
    bad: list[BadRow] = field(default_factory=list)


def deliver_labels(stations: Stations, request: LabelRequest, *, listen: Callable[[int], None]) -> LabelReport:
    """Read labels and take in those that are new.

    Raises
    ------
    BusyError
        Another delivery to this deployment is going on.
    SettingsError
        It is not said which columns are which.
    """
    settings = deployment_of(stations, request.deployment)
    with (
        held(stations.db, f"labels {name_key(settings.name)}", this_process(), wait_s=10) as lease,
        open_source(stations, request) as source,
    ):
        columns = columns_of(stations, request, settings, source)
        source_key = digest_value([settings.name, source.shown, columns])
        content_key = digest_value([source_key, source.facts]) if source.pinned else ""
        started = stations.clock.now()
        delivery = Delivery(
            delivery_id=stations.clock.new_id(),
            deployment=settings.name,
            source=source.shown[:200],
            source_key=source_key,
            content_key=content_key,
            who=request.who,
            started_at=started,
        )
        if content_key and was_delivered(stations.db, content_key):
            return LabelReport(delivery=delivery, already=True)
        counts = _Counts(watermark=watermark_of(stations.db, source_key) if "known_at" in columns else "")
        work = _Work(stations, settings, source, columns, rules_of(stations, settings), delivery)
        work.run(counts, listen, guard=lambda: require(stations.db, lease))
        done = replace(
            delivery,
            watermark=counts.watermark,
            rows=counts.rows,
            taken=counts.taken,
            known=counts.known,
            refused=counts.refused,
        )
        fault("label.before_record")
        with stations.db.write() as tx:
            require(tx, lease)
            save_delivery(tx, done)
            save_rejects(
                tx, f"labels-{source_key[:24]}", f"labels {settings.name}", table=source.shown, rows=counts.bad
            )
        fault("label.recorded")
    return LabelReport(delivery=done, refused=tuple(counts.bad))


def deliver(stations: Stations, request: LabelRequest, *, listen: Callable[[int], None]) -> LabelReport:
    """`deliver_labels` of what is asked for, or else of what the deployment declares.

    Raises
    ------
    SettingsError
        Neither is there.
    """
    if not request.input and not request.query:
        settings = deployment_of(stations, request.deployment)
        found = [one for one in declared_requests(stations) if one.deployment == settings.name]
        if not found:
            raise SettingsError(
                f"it is not said where the labels of {settings.name} are",
                hint=f"give --input or --query, or declare one under [deployments.{settings.name}.labels]",
            )
        request = replace(found[0], who=request.who)
    return deliver_labels(stations, request, listen=listen)


def deliver_declared(stations: Stations, report: Callable[[TidemillError], None]) -> dict[str, str]:
    """Read every declared source; what is wrong with one is told, by source, and the others are read."""
    failed = {}
    for request in declared_requests(stations):
        try:
            deliver_labels(stations, request, listen=lambda _: None)
        except TransientError as error:  # somebody else is at it, or the database is busy: the next round tries
            report(error)
        except Exception as error:  # noqa: BLE001 - the boundary of a source: the log and other sources are read
            trouble = as_trouble(error, f"the labels of {request.deployment}")
            failed[f"labels of {request.deployment}"] = trouble.message
            report(trouble)
    return failed


def declared_requests(stations: Stations) -> list[LabelRequest]:
    """What ``[deployments.NAME.labels]`` declares, for each deployment that does."""
    return [
        LabelRequest(
            deployment=one.name,
            input=one.labels.input,
            query=one.labels.query,
            id=one.labels.id,
            key=one.labels.key,
            label=one.labels.label,
            at=one.labels.at,
            known=one.labels.known,
            here=stations.root,
            who="tidemill collect",
        )
        for one in stations.settings.deployments.values()
        if one.labels.declared
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """One delivery at work."""

    stations: Stations
    settings: DeploymentSettings
    source: Source
    columns: Mapping[str, str]
    rules: LabelRules
    delivery: Delivery

    def run(self, counts: _Counts, listen: Callable[[int], None], *, guard: Callable[[], None]) -> None:
        spool = self.stations.root / ".tidemill" / "spool"
        hidden = bool(self.settings.hash_columns)
        key = log_key(self.stations.root / ".tidemill" / "serve") if hidden else b""
        log = LogWriter(spool, worker="labels", clock=self.stations.clock)
        try:
            for rows in _chunks(self._read(counts), CHUNK_ROWS):
                kept = hide_keys(rows, self.settings, key)
                news = self._news(kept)
                counts.known += len(kept) - len(news)
                counts.taken += len(news)
                fault("label.before_append")
                guard()  # what a process that was stopped has read is old by now
                for first in range(0, len(news), RECORD_ROWS):
                    log.append(encode(self._record(news[first : first + RECORD_ROWS])))
                listen(counts.rows)
        finally:
            log.close()
        if log.failures:
            raise TransientError(
                f"the labels could not be made durable: {log.last_failure}",
                hint="look at the disk under .tidemill/spool, and deliver them again",
            )

    def _record(self, rows: list[LabelRow]) -> LabelRecord:
        return LabelRecord(
            id=self.stations.clock.new_id(),
            at_ns=int(self.stations.clock.now().timestamp() * 1e6) * 1000,
            deployment=self.settings.name,
            model=self.settings.model,
            rows=rows,
            source=self.delivery.source,
            principal=self.delivery.who,
        )

    def _read(self, counts: _Counts) -> Iterator[LabelRow]:
        """The labels of the source, checked; what is none is put aside."""
        key, erased = self.settings.key, erased_people(self.stations)
        for given in self._rows(counts.watermark):
            counts.rows += 1
            if erased is not None and key in given and erased.is_of({key: given[key]}):
                continue
            try:
                row = self.rules.read(counts.rows, given)
            except InputError as error:
                counts.refused += 1
                if counts.refused <= SHOWN_BAD_ROWS:
                    counts.bad.append(self._put_aside(counts.rows, given, error))
                continue
            if row.known is not None:
                counts.watermark = max(counts.watermark, _utc(row.known))
            yield row

    def _rows(self, watermark: str) -> Iterator[dict[str, Any]]:
        columns = ", ".join(f"{quote_name(column)} AS {quote_name(name)}" for name, column in self.columns.items())
        sql = f"SELECT {columns} FROM ({self.source.query.sql}\n) AS tm_labels"
        if watermark:
            since = (datetime.fromisoformat(watermark) - LOOK_BACK).isoformat(sep=" ")
            # What is no time is read, and put aside.
            known = f"TRY_CAST({quote_name(self.columns['known_at'])} AS TIMESTAMP)"
            sql += f" WHERE {known} >= TIMESTAMP {quote_text(since)} OR {known} IS NULL"
        for batch in self.source.session.query(sql, self.source.query.relations, rows_per_batch=RECORD_ROWS):
            for row in batch.to_pylist():
                row["label"] = self._spelled(row["label"])
                yield {name: value for name, value in row.items() if value is not None}

    def _spelled(self, label: Any) -> Any:
        """A class that a reader of files has taken for true or false, as the model spells it."""
        classes = self.rules.values.classes
        if not isinstance(label, bool) or text_of(label) in classes:
            return label
        spelled = [one for one in classes if TRUTHS.get(one.lower()) is label]
        return spelled[0] if len(spelled) == 1 else label

    def _put_aside(self, number: int, given: Mapping[str, Any], error: InputError) -> BadRow:
        hide = {name_key(name) for name in (*self.settings.hash_columns, *self.settings.omit_columns)}
        raw = {name: value for name, value in given.items() if name_key(name) not in hide}
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        return BadRow(file=self.source.shown, line=number, column="", reason=reason, raw=json.dumps(raw, default=str))

    def _news(self, rows: list[LabelRow]) -> list[LabelRow]:
        """The rows that say something the log does not know."""
        if not rows:
            return rows
        known = known_numbers(self.source.session, self.settings.name, rows)
        return [row for number, row in enumerate(rows) if number not in known]


_KNOWN = """
WITH theirs AS (
    SELECT * FROM {received} AS received WHERE deployment = {deployment}
       AND (prediction_id IN (SELECT prediction_id FROM tm_told) OR "key" IN (SELECT "key" FROM tm_told))
), current AS ({current}
)
SELECT tm_told.number FROM tm_told JOIN current ON {same_current} AND current.label = tm_told.label
WHERE tm_told.known_at IS NULL
UNION SELECT tm_told.number FROM tm_told JOIN theirs ON {same_theirs} AND theirs.label = tm_told.label
  AND theirs.known_at = tm_told.known_at
"""
_SAME = (
    "({0}.prediction_id = tm_told.prediction_id OR"
    ' ({0}.prediction_id IS NULL AND {0}."key" = tm_told."key" AND {0}."at" = tm_told."at"))'
)


def known_numbers(session: Session, deployment: str, rows: Sequence[LabelRow]) -> set[int]:
    """Which rows the log knows: by number, those that say what counts already, or what was told word for word."""
    sql = _KNOWN.format(
        received=LOG.received,
        deployment=quote_text(deployment),
        current=labels_sql(Part(deployment=deployment), Relations(received="theirs")),
        same_current=_SAME.format("current"),
        same_theirs=_SAME.format("theirs"),
    )
    reader = session.query(sql, {"tm_told": _told(rows)})
    return {number for batch in reader for number in batch.column(0).to_pylist()}


def _told(rows: Sequence[LabelRow]) -> pa.Table:
    import pyarrow as pa

    def moments(values: list[str | None]) -> pa.Array:
        found = [None if one is None else datetime.fromisoformat(_utc(one)) for one in values]
        return pa.array(found, pa.timestamp("us"))

    return pa.table(
        {
            "number": pa.array(range(len(rows)), pa.int64()),
            "prediction_id": pa.array([row.id for row in rows], pa.string()),
            "key": pa.array([row.key for row in rows], pa.string()),
            "label": pa.array([text_of(row.label) for row in rows], pa.string()),
            "at": moments([row.time for row in rows]),
            "known_at": moments([row.known for row in rows]),
        }
    )


def _utc(time: str) -> str:
    """ISO text in UTC without a zone, always of the same length: later times are greater texts."""
    found = datetime.fromisoformat(time)
    utc = found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds")


def _chunks(rows: Iterator[LabelRow], size: int) -> Iterator[list[LabelRow]]:
    chunk: list[LabelRow] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    yield chunk
