-- 1,000 quality measures of hospitals, with letters and digits typed over by x.
-- A hospital's rows share its name, address and phone; a measure's rows share its code and name.
CREATE TABLE hospitals ("index" BIGINT PRIMARY KEY, provider_number VARCHAR NOT NULL, state VARCHAR CHECK (length(state) = 2)) AS
WITH raw AS (
  SELECT * FROM read_csv('data/raha_hospital_dirty.csv', all_varchar = TRUE, header = TRUE)
), keyed AS (
  SELECT * REPLACE (
    CLEAN.MAJORITY(provider_number) OVER (PARTITION BY phone) AS provider_number,
    CLEAN.MAJORITY(measure_code) OVER (PARTITION BY measure_name) AS measure_code
  ) FROM raw
), again AS (
  -- Where phone or name were typed over themselves, another thing the rows share says the key.
  SELECT * REPLACE (
    CLEAN.MAJORITY(provider_number) OVER (PARTITION BY name, zip) AS provider_number,
    CLEAN.MAJORITY(measure_code) OVER (PARTITION BY state_average) AS measure_code
  ) FROM keyed
)
SELECT
  CLEAN.INTEGER("index") AS "index",
  provider_number,
  CLEAN.MAJORITY(name) OVER (PARTITION BY provider_number) AS name,
  CLEAN.MAJORITY(address_1) OVER (PARTITION BY provider_number) AS address_1,
  address_2,
  address_3,
  CLEAN.MAJORITY(city) OVER (PARTITION BY provider_number) AS city,
  CLEAN.MAJORITY(state) OVER (PARTITION BY provider_number) AS state,
  CLEAN.MAJORITY(zip) OVER (PARTITION BY provider_number) AS zip,
  CLEAN.MAJORITY(county) OVER (PARTITION BY provider_number) AS county,
  CLEAN.MAJORITY(phone) OVER (PARTITION BY provider_number) AS phone,
  CLEAN.MAJORITY(type) OVER (PARTITION BY provider_number) AS type,
  CLEAN.MAJORITY(owner) OVER (PARTITION BY provider_number) AS owner,
  CLEAN.MAJORITY(emergency_service) OVER (PARTITION BY provider_number) AS emergency_service,
  CLEAN.MAJORITY(condition) OVER (PARTITION BY measure_code) AS condition,
  measure_code,
  CLEAN.MAJORITY(measure_name) OVER (PARTITION BY measure_code) AS measure_name,
  score,
  CASE WHEN regexp_full_match(sample, '[0-9]+[ x][a-z]{8}') THEN regexp_extract(sample, '^[0-9]+') || ' patients'
    ELSE sample END AS sample,
  CLEAN.MAJORITY(state_average) OVER (PARTITION BY measure_code, left(state, 2)) AS state_average
FROM again;
