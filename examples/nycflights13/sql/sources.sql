-- The five tables of nycflights13, each with what it promises.

CREATE TABLE airlines (
  carrier VARCHAR PRIMARY KEY,
  name VARCHAR NOT NULL
) AS
SELECT carrier, name FROM 'data/airlines.csv';

CREATE TABLE airports (
  faa VARCHAR PRIMARY KEY,
  lat DOUBLE NOT NULL CHECK (lat BETWEEN -90 AND 90),
  lon DOUBLE NOT NULL CHECK (lon BETWEEN -180 AND 180)
) AS
SELECT faa, name, lat, lon, alt FROM read_csv('data/airports.csv', nullstr = 'NA');

CREATE TABLE planes (
  tailnum VARCHAR PRIMARY KEY,
  built INTEGER CHECK (built BETWEEN 1940 AND 2013),
  seats INTEGER NOT NULL CHECK (seats > 0)
) AS
SELECT tailnum, year AS built, manufacturer, seats FROM read_csv('data/planes.csv', nullstr = 'NA');

-- The hour in which clocks go back stands twice in the file: its first observation is kept.
CREATE TABLE weather (
  origin VARCHAR NOT NULL,
  observed TIMESTAMP NOT NULL,
  temp DOUBLE CHECK (temp BETWEEN -20 AND 120),
  humid DOUBLE CHECK (humid BETWEEN 0 AND 100),
  wind_speed DOUBLE CHECK (wind_speed BETWEEN 0 AND 200) NOT ENFORCED,
  precip DOUBLE CHECK (precip >= 0),
  PRIMARY KEY (origin, observed)
) AS
SELECT origin, make_timestamp(year, month, day, hour, 0, 0) AS observed, temp, humid, wind_speed, precip, visib
FROM read_csv('data/weather.csv', nullstr = 'NA')
QUALIFY row_number() OVER (PARTITION BY origin, year, month, day, hour ORDER BY time_hour) = 1;

-- The date is that of the schedule, dep_time is the clock at departure: a flight of 23:30 that left at 00:20 has the
-- date of the day before. Flights that never left have no time at all here, and are left out.
CREATE TABLE flights (
  flight_id VARCHAR PRIMARY KEY,
  scheduled TIMESTAMP NOT NULL,
  departed TIMESTAMP NOT NULL CHECK (departed > scheduled - INTERVAL 2 HOUR),
  origin VARCHAR NOT NULL CHECK (origin IN ('EWR', 'JFK', 'LGA')),
  dest VARCHAR NOT NULL REFERENCES airports (faa) NOT ENFORCED,
  carrier VARCHAR NOT NULL REFERENCES airlines (carrier),
  tailnum VARCHAR REFERENCES planes (tailnum) NOT ENFORCED,  -- some planes are not in the register
  distance INTEGER NOT NULL CHECK (distance > 0),
  CHECK (count(*) > 300000) NOT ENFORCED
) AS
WITH timed AS (
  SELECT *, make_date(year, month, day) + to_minutes((dep_time // 100 * 60 + dep_time % 100 - dep_delay + 2880) % 1440)
    AS scheduled
  FROM 'data/flights.parquet'
  WHERE dep_time IS NOT NULL
)
SELECT
  concat_ws('-', carrier, flight, origin, strftime(scheduled, '%Y%m%d%H%M')) AS flight_id,
  scheduled, scheduled + to_minutes(dep_delay) AS departed,
  origin, dest, carrier, tailnum, distance, dep_delay, arr_delay
FROM timed;
