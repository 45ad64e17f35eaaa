-- 2,376 reports of flights' times by websites that contradict one another, in many spellings, often missing.
CREATE TABLE flight_reports AS
SELECT
  CLEAN.INTEGER(tuple_id) AS tuple_id,
  src,
  flight,
  CLEAN.TIME(sched_dep_time, anywhere => TRUE) AS sched_dep_time,
  CLEAN.TIME(act_dep_time, anywhere => TRUE) AS act_dep_time,
  CLEAN.TIME(sched_arr_time, anywhere => TRUE) AS sched_arr_time,
  CLEAN.TIME(act_arr_time, anywhere => TRUE) AS act_arr_time
FROM read_csv('data/raha_flights_dirty.csv', all_varchar = TRUE, header = TRUE);

-- What most sources say of a flight holds for it; where two times are said equally often, the earlier fills gaps.
CREATE TABLE flights (tuple_id BIGINT PRIMARY KEY, flight VARCHAR NOT NULL) AS
WITH agreed AS (
  SELECT
    tuple_id, src, flight,
    CLEAN.MAJORITY(sched_dep_time) OVER (PARTITION BY flight) AS sched_dep_time,
    CLEAN.MAJORITY(act_dep_time) OVER (PARTITION BY flight) AS act_dep_time,
    CLEAN.MAJORITY(sched_arr_time) OVER (PARTITION BY flight) AS sched_arr_time,
    CLEAN.MAJORITY(act_arr_time) OVER (PARTITION BY flight) AS act_arr_time
  FROM flight_reports
)
SELECT
  tuple_id, src, flight,
  CLEAN.FILL(sched_dep_time, 'mode') OVER (PARTITION BY flight) AS sched_dep_time,
  CLEAN.FILL(act_dep_time, 'mode') OVER (PARTITION BY flight) AS act_dep_time,
  CLEAN.FILL(sched_arr_time, 'mode') OVER (PARTITION BY flight) AS sched_arr_time,
  CLEAN.FILL(act_arr_time, 'mode') OVER (PARTITION BY flight) AS act_arr_time
FROM agreed;
