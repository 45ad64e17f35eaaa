"""Which rows are replayed, in which order, and when their labels are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.simulate.conftest import A_DAY, DAYS

from tidemill.core.errors import SettingsError, StateError
from tidemill.project import Project
from tidemill.simulate.plants import Usual, read_plant
from tidemill.simulate.request import Request, read_delay, read_every
from tidemill.simulate.stream import NEVER, open_stream, plant_in, usual_of


def asked(**changes: object) -> Request:
    given: dict[str, object] = {"deployment": "buyers", "replay": "visits", "time": "seen_at"}
    return Request(**given | changes)  # type: ignore[arg-type]


def test_no_label_of_the_history_is_lost_and_the_share_of_the_others_comes(shop: Project) -> None:
    stream = open_stream(shop, asked(labels_share=0.25), label="bought")
    lost = stream.known == NEVER
    assert stream.begin == DAYS * A_DAY // 5
    assert not lost[: stream.begin].any()
    assert 0.7 < lost[stream.begin :].mean() < 0.8


def test_labels_come_between_both_ends_of_their_delay_and_a_seed_decides_when(shop: Project) -> None:
    both = [open_stream(shop, asked(delay=read_delay("1 day..3 days"), seed=4), label="bought") for _ in range(2)]
    waits = (both[0].known - both[0].at) / 86_400e6
    assert 1 <= waits.min() < 1.1
    assert 2.9 < waits.max() <= 3
    assert (both[0].known == both[1].known).all()


def test_rows_behind_the_end_are_left_out(shop: Project) -> None:
    stream = open_stream(shop, asked(end=datetime(2026, 1, 11, tzinfo=UTC)), label="bought")
    assert len(stream.at) == 10 * A_DAY
    assert stream.rows.num_rows == 10 * A_DAY


@pytest.mark.parametrize("text", ["0", "10 seconds", "often"])
def test_how_often_is_a_minute_or_more(text: str) -> None:
    with pytest.raises(SettingsError, match="retrain"):
        read_every(text, "--retrain")


def test_a_delay_that_ends_before_it_begins_is_refused() -> None:
    assert read_delay("").high == timedelta(0)
    with pytest.raises(SettingsError, match="ends before it begins"):
        read_delay("3 days..1 day")


@pytest.mark.parametrize("when", ["2030-01-01", "2013-01-01:2013-02-01"])
def test_a_trouble_in_which_no_row_falls_is_refused(shop: Project, when: str) -> None:
    stream = open_stream(shop, asked(), label="bought")
    with pytest.raises(StateError, match="no row is asked about") as caught:
        usual_of(stream, read_plant(f"scale:pages:100:{when}"))
    assert "from 2026-01-" in str(caught.value.hint)


def test_a_flipped_label_changes_nothing_of_what_is_sent() -> None:
    plants = {read_plant(f"{kind}:2026-01-01"): Usual() for kind in ("flip:bought:1", "scale:Pages:100")}

    sent = plant_in({"pages": 2, "country": "NL"}, datetime(2026, 1, 2, tzinfo=UTC), plants, np.random.default_rng(0))

    assert sent == {"pages": 200, "country": "NL"}
