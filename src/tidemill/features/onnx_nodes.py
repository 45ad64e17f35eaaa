"""Calendar arithmetic as nodes: what a graph needs to take dates and timestamps apart."""

from __future__ import annotations

import numpy as np  # noqa: TID253

from tidemill.features.onnx_builder import Builder


def floor_divide(builder: Builder, x: str, divisor: int) -> str:
    """Whole-number division that rounds down (ONNX's rounds towards zero)."""
    constant = builder.constant(np.array(divisor))
    return builder.node("Div", builder.node("Sub", x, builder.node("Mod", x, constant)), constant)


def civil_nodes(builder: Builder, days: str) -> tuple[str, str, str, str]:
    """Year, month, day and day of the year (0 = 1 January) of day numbers; the arithmetic of `values.civil`."""

    def c(value: int) -> str:
        return builder.constant(np.array(value))

    def op(name: str, a: str, b: str) -> str:
        return builder.node(name, a, b)

    shifted = op("Add", days, c(719_468))
    era = floor_divide(builder, shifted, 146_097)
    of_era = op("Sub", shifted, op("Mul", era, c(146_097)))
    leap_days = op(
        "Sub", op("Sub", op("Div", of_era, c(36_524)), op("Div", of_era, c(1460))), op("Div", of_era, c(146_096))
    )
    year_of_era = op("Div", op("Add", of_era, leap_days), c(365))
    whole_years = op(
        "Add", op("Mul", year_of_era, c(365)), op("Sub", op("Div", year_of_era, c(4)), op("Div", year_of_era, c(100)))
    )
    from_march = op("Sub", of_era, whole_years)
    month_index = op("Div", op("Add", op("Mul", from_march, c(5)), c(2)), c(153))
    day = op("Add", op("Sub", from_march, op("Div", op("Add", op("Mul", month_index, c(153)), c(2)), c(5))), c(1))
    early = builder.node("Less", month_index, c(10))
    month = builder.node("Where", early, op("Add", month_index, c(3)), op("Sub", month_index, c(9)))
    winter = builder.node("Not", early)  # January and February belong to the next civil year
    year = op("Add", op("Add", year_of_era, op("Mul", era, c(400))), builder.cast(winter, "int64"))
    by_4, by_100, by_400 = (builder.node("Equal", op("Mod", year, c(n)), c(0)) for n in (4, 100, 400))
    leap = builder.node("And", by_4, builder.node("Or", builder.node("Not", by_100), by_400))
    spring = op("Add", op("Add", from_march, c(59)), builder.cast(leap, "int64"))
    of_year = builder.node("Where", winter, op("Sub", from_march, c(306)), spring)
    return year, month, day, of_year


def instant_nodes(builder: Builder, micros: str) -> list[str]:
    """The seven parts of instants, in the order of `plan.PARTS`; the arithmetic of `values.instant_parts`."""

    def c(value: int) -> str:
        return builder.constant(np.array(value))

    days = floor_divide(builder, micros, 86_400_000_000)
    of_day = builder.node("Sub", micros, builder.node("Mul", days, c(86_400_000_000)))
    minutes = builder.node("Div", of_day, c(60_000_000))
    year, month, day, of_year = civil_nodes(builder, days)
    weekday = builder.node("Mod", builder.node("Add", days, c(4)), c(7))
    week = builder.node("Div", builder.node("Sub", builder.node("Add", of_year, c(7)), weekday), c(7))
    hour, minute = builder.node("Div", minutes, c(60)), builder.node("Mod", minutes, c(60))
    return [day, builder.node("Add", weekday, c(1)), month, hour, minute, week, year]
