-- What is known when the hour of a flight begins: nothing of the flight itself but its schedule.

CREATE TABLE hourly_delays (PRIMARY KEY (origin, hour)) AS
SELECT origin, date_trunc('hour', departed) AS hour, count(*) AS departures, avg(dep_delay) AS mean_delay
FROM flights
GROUP BY ALL;

CREATE TABLE flight_features (
  flight_id VARCHAR PRIMARY KEY REFERENCES flights (flight_id),
  plane_age INTEGER CHECK (plane_age BETWEEN 0 AND 80)
) AS
WITH planned AS (
  SELECT *, date_trunc('hour', scheduled) AS decided_at FROM flights
)
SELECT
  f.flight_id, f.scheduled, f.origin, f.dest, a.name AS airline, f.distance,
  hour(f.scheduled) AS hour_of_day, dayofweek(f.scheduled) AS day_of_week,
  CASE WHEN p.built <= year(f.scheduled) THEN year(f.scheduled) - p.built END AS plane_age, p.seats,
  -- The last observation that was at least an hour old.
  w.temp, w.humid, w.wind_speed, w.precip, w.visib,
  -- Departures of the hour that is over: those of this hour are not known yet.
  coalesce(d.departures, 0) AS departures_before, d.mean_delay AS delay_before,
  f.arr_delay >= 30 AS late
FROM planned AS f
JOIN airlines AS a ON f.carrier = a.carrier
LEFT JOIN planes AS p ON f.tailnum = p.tailnum
LEFT JOIN hourly_delays AS d ON f.origin = d.origin AND d.hour = f.decided_at - INTERVAL 1 HOUR
ASOF LEFT JOIN weather AS w ON f.origin = w.origin AND f.decided_at - INTERVAL 1 HOUR >= w.observed
WHERE f.arr_delay IS NOT NULL;

ASSERT (SELECT count(temp) / count(*) FROM flight_features) > 0.99
AS 'nearly every flight has a weather observation';
