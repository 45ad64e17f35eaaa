CREATE TEST a_flight_past_midnight_keeps_the_day_of_its_schedule FOR flights
GIVEN 'data/flights.parquet' (year, month, day, dep_time, dep_delay, carrier, flight, origin) AS (VALUES
  (2013, 3, 31, 20, 50, 'B6', 1, 'JFK'),      -- planned 23:30, left at 00:20
  (2013, 4, 1, 2355, -5, 'B6', 2, 'JFK'),     -- planned 00:00 of the next day, by the clock of the first
  (2013, 4, 1, 1005, 5, 'B6', 3, 'JFK'),
  (2013, 4, 1, NULL, NULL, 'B6', 4, 'JFK'))   -- never left
EXPECT (flight_id, scheduled, departed) AS (VALUES
  ('B6-1-JFK-201303312330', '2013-03-31 23:30:00', '2013-04-01 00:20:00'),
  ('B6-2-JFK-201304010000', '2013-04-01 00:00:00', '2013-03-31 23:55:00'),
  ('B6-3-JFK-201304011000', '2013-04-01 10:00:00', '2013-04-01 10:05:00'));

CREATE TEST two_rows_of_one_flight_are_refused FOR flights
GIVEN 'data/flights.parquet' (year, month, day, dep_time, dep_delay, carrier, flight, origin, dest, distance) AS (VALUES
  (2013, 4, 1, 1005, 5, 'B6', 3, 'JFK', 'BOS', 187),
  (2013, 4, 1, 1005, 5, 'B6', 3, 'JFK', 'BOS', 187))
EXPECT FAILING PRIMARY KEY;

CREATE TEST the_hour_that_comes_twice_is_observed_once FOR weather
GIVEN 'data/weather.csv' (origin, year, month, day, hour, temp, time_hour) AS (VALUES
  ('JFK', 2013, 11, 3, 1, 52.0, TIMESTAMPTZ '2013-11-03 06:00:00+00'),
  ('JFK', 2013, 11, 3, 1, 53.0, TIMESTAMPTZ '2013-11-03 05:00:00+00'))
EXPECT (observed, temp) AS (VALUES ('2013-11-03 01:00:00', 53.0));
