-- The flight of 10:40 may know what was so when its hour began, and no more.
CREATE TEST nothing_of_its_own_hour_is_known_to_a_flight FOR flight_features
GIVEN
  flights (flight_id, scheduled, origin, carrier, arr_delay) AS (VALUES
    ('a', '2013-05-01 10:40:00', 'JFK', 'B6', 45)),
  airlines (carrier, name) AS (VALUES ('B6', 'JetBlue Airways')),
  planes,
  hourly_delays (origin, hour, departures, mean_delay) AS (VALUES
    ('JFK', TIMESTAMP '2013-05-01 09:00:00', 20, 12.5),
    ('JFK', TIMESTAMP '2013-05-01 10:00:00', 30, 99.0),    -- its own hour
    ('LGA', TIMESTAMP '2013-05-01 09:00:00', 40, 77.0)),
  weather (origin, observed, temp) AS (VALUES
    ('JFK', '2013-05-01 08:00:00', 50),
    ('JFK', '2013-05-01 09:00:00', 55),
    ('JFK', '2013-05-01 10:00:00', 60),                    -- not an hour old
    ('LGA', '2013-05-01 09:00:00', 70))
EXPECT (flight_id, departures_before, delay_before, temp, late) AS (VALUES ('a', 20, 12.5, 55, true));

CREATE TEST late_begins_at_30_minutes_and_diverted_flights_are_left_out FOR flight_features
GIVEN
  flights (flight_id, scheduled, origin, carrier, tailnum, arr_delay) AS (VALUES
    ('on time', '2013-05-01 10:40:00', 'JFK', 'B6', 'N1', 29),
    ('late', '2013-05-01 10:40:00', 'JFK', 'B6', 'unknown', 30),
    ('diverted', '2013-05-01 10:40:00', 'JFK', 'B6', 'N1', NULL)),
  airlines (carrier) AS (VALUES ('B6')),
  planes (tailnum, built) AS (VALUES ('N1', 2003)),
  hourly_delays,
  weather
EXPECT (flight_id, late, plane_age, departures_before) AS (VALUES ('on time', false, 10, 0), ('late', true, NULL, 0));

CREATE TEST risk_is_the_probability_of_being_late FOR december_risk
GIVEN ML.PREDICT(MODEL late_arrival) AS (
  SELECT 'a' AS flight_id, TIMESTAMP '2013-12-24 10:00:00' AS scheduled, 'JetBlue Airways' AS airline,
    [{'label': true, 'prob': 0.25}, {'label': false, 'prob': 0.75}] AS predicted_late_probs)
EXPECT (flight_id, risk) AS (VALUES ('a', 0.25));
