"""A segment of the prediction log is let go when it is old, so that what is erased from the log can go with it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.api.conftest import until
from tests.serving.log.conftest import prediction

from tidemill.core.clock import Clock
from tidemill.serving.log.records import encode
from tidemill.serving.log.spool import is_closed, segments
from tidemill.serving.log.writer import LogWriter


def test_a_quiet_server_lets_go_of_an_old_segment_and_begins_another_with_the_next_answer(tmp_path: Path) -> None:
    with closing(LogWriter(tmp_path, worker="w0", clock=Clock(), segment_s=0.05, sync_every_s=0.01)) as log:
        log.append(encode(prediction(1)))
        (first,) = segments(tmp_path)
        until(lambda: is_closed(tmp_path / first))

        log.append(encode(prediction(2)))

        assert len(segments(tmp_path)) == 2
    assert log.failures == 0


def test_a_young_segment_takes_answer_after_answer(tmp_path: Path) -> None:
    with closing(LogWriter(tmp_path, worker="w0", clock=Clock())) as log:
        for number in range(3):
            log.append(encode(prediction(number)))

        (only,) = segments(tmp_path)
        assert not is_closed(tmp_path / only)
