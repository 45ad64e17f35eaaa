"""What windows do to alerts: open, widen, go on, end, come back; and what never opens one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemill.monitoring.alert import Alert, Transition
from tidemill.monitoring.budget import Policy
from tidemill.monitoring.decide import Decision, decide
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.operations import measure_traffic, usual_of_late
from tidemill.monitoring.verdict import RECENT, Key, Verdict
from tidemill.monitoring.words import headline, next_step

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int, *, hours: float = 24) -> Window:
    length = timedelta(hours=hours)
    return Window(start=START + number * length, end=START + (number + 1) * length)


@dataclass(slots=True)
class Watch:
    """A deployment that is watched: it keeps what a control database would."""

    policy: Policy = field(default_factory=lambda: Policy(season=timedelta(days=1)))
    hours: float = 24
    past: dict[Key, list[Verdict]] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    floors: dict[Key, float] = field(default_factory=dict)

    def see(self, number: int, *measurements: Measurement) -> Decision:
        window = day(number, hours=self.hours)
        decision = decide(measurements, window, self.past, self.alerts, self.policy, floors=self.floors)
        for one in decision.verdicts:
            others = [other for other in self.past.get(one.key, []) if other.window != window]
            self.past[one.key] = sorted([one, *others], key=lambda one: one.window.start, reverse=True)
        changed = {(t.alert.cause, t.alert.severity) for t in decision.transitions}
        kept = [alert for alert in self.alerts if (alert.cause, alert.severity) not in changed]
        self.alerts = kept + [transition.alert for transition in decision.transitions]
        return decision


def happened(decision: Decision) -> list[tuple[str, str]]:
    return [(transition.happening, transition.alert.cause) for transition in decision.transitions]


def figure(family: str = "missing", subject: str = "age", **more: Any) -> Measurement:
    given: dict[str, Any] = {"value": 0.4, "low": 0.3, "high": 0.5, "p_value": 1e-9, "limit": 0.05}
    given |= {"rows": 1_000, "reference_rows": 100_000, "test": "share"}
    return Measurement(family=family, subject=subject, **given | more)


def fine(family: str = "missing", subject: str = "age", **more: Any) -> Measurement:
    return figure(family, subject, **{"value": 0.001, "low": -0.01, "high": 0.01, "p_value": 0.7} | more)


def only(transitions: Iterable[Transition]) -> Transition:
    (one,) = transitions
    return one


def test_a_burst_opens_an_alert_in_its_second_window_and_says_since_when() -> None:
    watch = Watch()
    watch.see(0, fine())

    assert happened(watch.see(1, figure())) == []
    second = only(watch.see(2, figure()).transitions)

    assert (second.happening, second.alert.cause, second.alert.severity) == ("opened", "missing", "page")
    assert second.alert.since == day(1).start
    assert second.alert.opened == day(2).end
    assert [one.key.subject for one in second.evidence] == ["age"]


def test_a_window_looked_at_twice_changes_nothing() -> None:
    watch = Watch()
    watch.see(0, figure())
    watch.see(1, figure())
    before = (list(watch.alerts), {key: list(series) for key, series in watch.past.items()})

    again = watch.see(1, figure())

    assert happened(again) == [("continuing", "missing")]
    assert (watch.alerts, watch.past) == before


def test_an_alert_ends_only_after_several_quiet_windows() -> None:
    watch = Watch()
    for number in range(2):
        watch.see(number, figure())

    ends = [happened(watch.see(number, fine())) for number in range(2, 6)]

    assert ends == [[("continuing", "missing")], [("continuing", "missing")], [("resolved", "missing")], []]
    assert watch.alerts[0].resolved == day(4).end


def test_windows_without_enough_rows_neither_open_nor_end_an_alert() -> None:
    watch = Watch()
    watch.see(0, figure())
    watch.see(1, fine(value=None, low=None, high=None, p_value=None, note="not enough data: 5 rows"))
    assert happened(watch.see(2, figure())) == [("opened", "missing")]

    for number in range(3, 20):
        nothing = watch.see(number, fine(value=None, low=None, high=None, p_value=None))
        assert happened(nothing) == [("continuing", "missing")]
        assert nothing.verdicts[0].p is None


def test_a_metric_that_flaps_stays_one_alert_and_has_to_be_quiet_longer_each_time() -> None:
    watch = Watch(policy=Policy(cool_down=timedelta(days=3)))
    told = []
    for number in range(60):
        loud = number % 6 in (0, 1)
        decision = watch.see(number, figure() if loud else fine())
        told += [kind for kind, _ in happened(decision) if kind in {"opened", "reopened", "resolved"}]

    assert told.count("opened") == 1
    assert told == ["opened", "resolved", "reopened"]


def test_trouble_after_the_cool_down_is_a_new_alert() -> None:
    watch = Watch(policy=Policy(cool_down=timedelta(days=2)))
    for number, loud in enumerate([1, 1, 0, 0, 0, 0, 0, 0, 1]):
        watch.see(number, figure() if loud else fine())

    assert happened(watch.see(9, figure())) == [("opened", "missing")]
    assert watch.alerts[0].since == day(8).start


def test_columns_of_one_table_upstream_are_one_alert() -> None:
    watch = Watch()
    broken = [
        figure(subject="age", source="customers"),
        figure("new_category", "plan", source="customers"),
        figure(subject="clicks", source="events"),
        fine(subject="income", source="customers"),
    ]
    watch.see(0, *broken)

    opened = watch.see(1, *broken).transitions

    assert [(one.alert.cause, [key.subject for key in one.alert.keys]) for one in opened] == [
        ("source customers", ["age", "plan"]),
        ("source events", ["clicks"]),
    ]


def test_another_column_widens_the_alert_of_its_table() -> None:
    watch = Watch()
    age, income = figure(source="customers"), figure(subject="income", source="customers")
    for number in range(2):
        watch.see(number, age, fine(subject="income", source="customers"))
    watch.see(2, age, income)

    wider = only(watch.see(3, age, income).transitions)

    assert wider.happening == "widened"
    assert [key.subject for key in wider.alert.keys] == ["age", "income"]
    assert happened(watch.see(4, age, income)) == [("continuing", "source customers")]


def bad(value: float, *, within: float = 0.02, **more: Any) -> Measurement:
    return figure(value=value, low=value - within, high=value + within, **more)


def test_an_alert_that_becomes_far_worse_is_told_again_once_each_time_it_doubles() -> None:
    watch = Watch()
    values = [0.1, 0.1, 0.15, 0.19, 0.2, 0.2, 0.3, 0.1, 0.21, 0.4, 0.5]
    told = [watch.see(number, bad(value)).transitions for number, value in enumerate(values)]

    assert [only(one).happening for one in told[1:]] == [
        *("opened", "continuing", "continuing", "worsened", "continuing", "continuing", "continuing", "continuing"),
        *("worsened", "continuing"),
    ]
    assert only(told[4]).reason == "far worse than was told: share of age 0.2, it was 0.1"


def test_an_effect_whose_interval_reaches_to_what_was_told_is_not_told_again() -> None:
    watch = Watch()
    for number, value in enumerate([0.2, 0.2]):
        watch.see(number, bad(value))

    assert happened(watch.see(2, bad(0.45, within=0.3))) == [("continuing", "missing")]
    assert happened(watch.see(3, bad(0.45, within=0.2))) == [("worsened", "missing")]


def test_what_joins_is_told_with_how_bad_all_of_it_is_and_what_comes_back_is_told_anew() -> None:
    watch = Watch(policy=Policy(season=timedelta(days=1), cool_down=timedelta(days=9)))
    age: dict[str, Any] = {"source": "customers"}
    income: dict[str, Any] = {"subject": "income", "source": "customers"}
    for number in range(2):
        watch.see(number, bad(0.1, **age))
    watch.see(2, bad(0.1, **age), bad(0.1, **income))

    wider = only(watch.see(3, bad(0.4, **age), bad(0.1, **income)).transitions)
    assert (wider.happening, wider.reason) == ("widened", "")
    assert happened(watch.see(4, bad(0.5, **age), bad(0.2, **income))) == [("worsened", "source customers")]

    for number in range(5, 8):
        watch.see(number, fine(**age), fine(**income))
    watch.see(8, bad(0.1, **age))
    assert happened(watch.see(9, bad(0.1, **age))) == [("reopened", "source customers")]
    assert happened(watch.see(10, bad(0.2, **age))) == [("worsened", "source customers")]


def test_a_fall_that_doubles_is_worse_and_a_jump_the_other_way_too() -> None:
    watch = Watch()
    for number in range(2):
        watch.see(number, figure("prediction", "mean", value=-0.1, low=-0.12, high=-0.08))

    down = figure("prediction", "mean", value=-0.3, low=-0.4, high=-0.2)
    assert only(watch.see(2, down).transitions).happening == "worsened"
    up = only(watch.see(3, figure("prediction", "mean", value=0.7, low=0.6, high=0.8)).transitions)
    assert (up.happening, up.reason) == ("worsened", "far worse than was told: share of mean 0.7, it was -0.3")


def moved_features(*, source: str = "") -> list[Measurement]:
    return [
        figure("feature", "income", value=0.2, low=0.15, high=0.25, weight=0.5, test="psi", source=source),
        figure("feature", "age", value=0.9, low=0.8, high=1.0, weight=0.01, test="psi"),
        figure("feature", "tenure", value=0.3, low=0.25, high=0.35, weight=0.2, test="psi"),
        fine("feature", "region", test="psi", weight=0.29),
    ]


def test_features_that_move_alone_wake_nobody_up() -> None:
    watch = Watch()
    watch.see(0, *moved_features())

    opened = only(watch.see(1, *moved_features()).transitions)

    assert (opened.happening, opened.alert.severity, opened.alert.cause) == ("opened", "diagnosis", "feature")


def test_a_shift_of_predictions_is_explained_by_features_in_order_of_importance_times_effect() -> None:
    watch = Watch()
    windows = [*moved_features(), figure("prediction", "score", test="psi")]
    watch.see(0, *windows)

    opened = [one for one in watch.see(1, *windows).transitions if one.alert.severity == "page"]

    assert only(opened).alert.cause == "predictions"
    assert [one.key.subject for one in only(opened).explained] == ["income", "tenure", "age"]


def test_a_shift_of_predictions_joins_the_broken_table_that_explains_it() -> None:
    watch = Watch()
    windows = [
        *moved_features(source="customers"),
        figure("missing", "income", source="customers"),
        figure("prediction", "score", test="psi"),
        figure("quality", "roc_auc", test="roc_auc"),
    ]
    watch.see(0, *windows)

    pages = [one for one in watch.see(1, *windows).transitions if one.alert.severity == "page"]

    assert only(pages).alert.cause == "source customers"
    assert only(pages).alert.families == ("missing", "prediction", "quality")


@pytest.mark.parametrize(
    "measurement",
    [
        figure(value=0.04),
        figure(low=0.01),
        figure(value=-0.4, low=-0.5, high=-0.01),
        figure("quality", "accuracy", value=-0.4, low=-0.5, high=-0.3),
    ],
    ids=["less than matters", "its interval reaches what does not matter", "the same below", "better than before"],
)
def test_effects_that_do_not_matter_open_nothing_however_sure_they_are(measurement: Measurement) -> None:
    watch = Watch()

    assert [happened(watch.see(number, measurement)) for number in range(5)] == [[]] * 5


def test_fewer_missing_values_than_in_training_are_a_change_too() -> None:
    watch = Watch()
    fewer = figure(value=-0.4, low=-0.5, high=-0.3)
    watch.see(0, fewer)

    assert happened(watch.see(1, fewer)) == [("opened", "missing")]


@pytest.mark.parametrize("family", ["contract", "traffic", "errors"])
def test_broken_contracts_silence_and_errors_do_not_wait(family: str) -> None:
    watch = Watch()
    broken = figure(family, "requests", value=12.0, low=None, high=None, p_value=None, limit=0.0)

    assert happened(watch.see(0, broken)) == [("opened", family)]
    assert happened(watch.see(1, broken)) == [("continuing", family)]


def test_what_does_not_wait_to_be_told_waits_for_as_many_quiet_windows_as_the_rest() -> None:
    watch = Watch()
    broken = figure("contract", "age", value=12.0, low=None, high=None, p_value=None, limit=0.0)
    watch.see(0, broken)

    told = [watch.see(number, replace(broken, value=0.0)) for number in range(1, 4)]

    assert [happened(one)[0][0] for one in told] == ["continuing", "continuing", "resolved"]
    assert only(told[2].transitions).reason == "3 windows without a breach"


def test_one_quiet_window_is_said_to_be_one() -> None:
    watch = Watch(policy=Policy(season=timedelta(days=1), quiet_windows=1))
    watch.see(0, figure("contract"))

    assert only(watch.see(1, fine("contract")).transitions).reason == "1 window without a breach"


def traffic(answers: int, newest: Sequence[int], day_before: int | None = None) -> Measurement:
    usual = usual_of_late(newest, day_before)
    return measure_traffic(answers=answers, before=usual, least=0.2, reference=RECENT)


def told_of_traffic(counts: Sequence[int]) -> list[list[tuple[str, str]]]:
    """What minutes with so many answers do in a first season."""
    watch = Watch(policy=Policy(), hours=1 / 60)
    return [
        happened(watch.see(number, traffic(count, list(reversed(counts[max(0, number - 5) : number])))))
        for number, count in enumerate(counts)
    ]


def test_a_fall_of_traffic_in_the_first_season_opens_in_its_third_window() -> None:
    told = told_of_traffic([300, 280, 310, 290, 301, 1, 2, 1, 2])

    assert told[:7] == [[]] * 7
    assert told[7] == [("opened", "traffic")]


def test_a_dip_of_two_windows_and_a_slow_evening_open_nothing_in_the_first_season() -> None:
    assert told_of_traffic([300, 280, 310, 290, 301, 1, 2, 290, 300]) == [[]] * 9
    assert told_of_traffic([int(1_000 * 0.8**number) for number in range(20)]) == [[]] * 20


def test_a_night_like_the_night_before_is_no_fall() -> None:
    assert traffic(5, [90, 80, 60, 40, 20], day_before=6).value == pytest.approx(1 / 6)
    assert traffic(5, [90, 80, 60, 40, 20]).value == pytest.approx(1 - 5 / 60)
    assert traffic(5, [90, 80]).value is None


def broken_and_then(watch: Watch, *, healthy: int) -> None:
    """MonthlyCharges of a table is broken in window 0 and fine in those after."""
    watch.see(0, figure("contract", "MonthlyCharges", source="customers"), fine(subject="tenure", source="customers"))
    for number in range(1, 1 + healthy):
        watch.see(
            number, fine("contract", "MonthlyCharges", source="customers"), fine(subject="tenure", source="customers")
        )


def test_an_alert_that_comes_back_is_about_what_is_wrong_now() -> None:
    watch = Watch(policy=Policy(season=timedelta(days=1), cool_down=timedelta(days=9)))
    broken_and_then(watch, healthy=3)
    for number in (4, 5):
        told = watch.see(
            number, fine("contract", "MonthlyCharges", source="customers"), figure(subject="tenure", source="customers")
        )

    back = only(told.transitions)
    assert (back.happening, back.alert.since) == ("reopened", day(4).start)
    assert headline("churn", back.alert) == (
        "churn: tenure: the share of missing values changed (from table customers)"
    )
    assert next_step(back.alert).startswith("ask whoever fills the column")


def test_what_healed_leaves_an_alert_that_goes_on_for_something_else() -> None:
    watch = Watch()
    broken_and_then(watch, healthy=0)
    told = [
        only(
            watch.see(
                number,
                fine("contract", "MonthlyCharges", source="customers"),
                figure(subject="tenure", source="customers"),
            ).transitions
        )
        for number in range(1, 5)
    ]

    assert [one.happening for one in told] == ["continuing", "widened", "continuing", "continuing"]
    assert [[key.subject for key in one.alert.keys] for one in told[1:]] == [
        ["MonthlyCharges", "tenure"], ["tenure"], ["tenure"],
    ]  # fmt: skip
    assert [one.alert.since for one in told] == [day(0).start, day(0).start, day(1).start, day(1).start]


def test_what_people_found_not_worth_an_alert_has_to_grow_before_it_is_one() -> None:
    watch = Watch(floors={Key("missing", "age", "", "share"): 0.45})
    for number in range(3):
        assert happened(watch.see(number, figure())) == []

    watch.see(3, figure(value=0.9, low=0.8, high=1.0))
    assert happened(watch.see(4, figure(value=0.9, low=0.8, high=1.0))) == [("opened", "missing")]


def shift(**more: Any) -> Measurement:
    return figure("prediction", "score", test="psi", **more)


def test_a_night_that_is_as_all_nights_are_is_no_alarm() -> None:
    watch = Watch(hours=1, policy=Policy(season=timedelta(days=1)))
    for number in range(24 * 12):
        night = number % 24 < 8
        training = shift() if night else fine("prediction", "score", test="psi")
        none = {"value": None, "low": None, "high": None, "p_value": None}
        before = fine("prediction", "score", test="psi", reference="previous", **(none if number < 24 else {}))
        assert happened(watch.see(number, training, before)) == []


def test_a_first_weekend_is_no_alarm_and_a_first_shift_is_one_on_its_third_day() -> None:
    usual = fine("prediction", "score", test="psi")
    weekend, shifted = Watch(policy=Policy()), Watch(policy=Policy())
    days = [usual, usual, shift(), shift(), usual, usual, usual]

    assert [happened(weekend.see(number, one)) for number, one in enumerate(days)] == [[]] * 7
    told = [happened(shifted.see(number, shift())) for number in range(3)]
    assert told == [[], [], [("opened", "predictions")]]


def test_hours_without_a_same_hour_before_wait_and_missing_values_do_not() -> None:
    watch = Watch(hours=1)
    told = [happened(watch.see(number, shift(), figure())) for number in range(6)]

    assert told[1] == [("opened", "missing")]
    assert all(("opened", "predictions") not in one for one in told)


def test_what_differs_from_training_through_a_whole_season_is_no_season() -> None:
    watch = Watch(policy=Policy(season=timedelta(days=7)))
    slowly = [shift(), fine("prediction", "score", test="psi", reference="previous")]

    told = [happened(watch.see(number, *slowly)) for number in range(9)]

    assert told[:6] == [[]] * 6
    assert told[6] == [("opened", "predictions")]
    assert told[8] == [("continuing", "predictions")]


def test_what_breaks_for_good_is_told_where_the_window_before_is_the_season() -> None:
    watch = Watch(hours=7 * 24, policy=Policy(season=timedelta(days=7)))
    same = fine(reference="previous")
    watch.see(0, fine(), same)

    told = [happened(watch.see(number, figure(), figure(reference="previous") if number == 1 else same))
            for number in range(1, 5)]  # fmt: skip

    assert told == [[], [], [("opened", "missing")], [("continuing", "missing")]]
    assert watch.alerts[0].since == day(1, hours=7 * 24).start


def test_where_a_window_is_a_season_what_differs_from_training_in_three_lasts() -> None:
    watch = Watch(hours=168, policy=Policy(season=timedelta(days=7)))
    slowly = [shift(), fine("prediction", "score", test="psi", reference="previous")]

    slowly_less = [shift(p_value=1e-7), *slowly[1:]]
    told = [happened(watch.see(number, *seen)) for number, seen in enumerate([slowly[:1], slowly, slowly_less, slowly])]

    assert told == [[], [], [("opened", "predictions")], [("continuing", "predictions")]]
    assert watch.alerts[0].since == day(0, hours=168).start


def test_a_version_that_is_promoted_begins_anew_as_a_first_one_does() -> None:
    watch = Watch(policy=Policy(season=timedelta(days=7)))

    def seen(number: int, version: int, *, weekend: bool) -> Decision:
        score = (fine if weekend else figure)("prediction", "score", test="psi", version=version)
        before = fine("prediction", "score", test="psi", reference="previous", version=version)
        return watch.see(number, *([score] if version == 2 else [score, before]))

    # Weekdays of the first version are as those of the week before; the second one has no week before.
    for number in range(7, 16):
        assert happened(seen(number, 1, weekend=number % 7 > 4)) == []

    told = [happened(seen(number, 2, weekend=False)) for number in range(16, 19)]

    assert told == [[], [], [("opened", "predictions")]]
    assert watch.alerts[0].since == day(16).start


def test_labels_that_come_late_open_an_alert_for_the_windows_they_are_of() -> None:
    watch = Watch()
    for number in range(10):
        watch.see(number, fine())
    worse = figure("quality", "accuracy", test="accuracy")
    watch.see(2, worse)

    opened = only(watch.see(3, worse).transitions)

    assert (opened.happening, opened.alert.cause, opened.alert.since) == ("opened", "quality", day(2).start)


def test_an_alert_whose_figure_is_gone_for_long_ends_with_that_reason() -> None:
    watch = Watch()
    for number in range(2):
        watch.see(number, figure())

    assert happened(watch.see(61, fine(subject="other"))) == [("continuing", "missing")]
    last = only(watch.see(62, fine(subject="other")).transitions)

    assert (last.happening, last.reason) == ("resolved", "its figures are not measured any more")
