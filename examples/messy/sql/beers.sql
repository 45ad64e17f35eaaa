-- 2,410 craft beers. Volumes with their unit, alcohol with stray percent signs and binary noise, N/A, states in cities.
CREATE TABLE beers (
  id BIGINT PRIMARY KEY,
  ounces DOUBLE NOT NULL CHECK (ounces > 0 AND ounces < 100),
  abv DOUBLE CHECK (abv > 0 AND abv < 0.3),
  ibu DOUBLE CHECK (ibu > 0),
  state VARCHAR NOT NULL CHECK (length(state) = 2)
) AS
SELECT
  CLEAN.INTEGER("index") AS "index",
  CLEAN.INTEGER(id) AS id,
  beer_name,
  style,
  CLEAN.NUMBER(ounces, anywhere => TRUE) AS ounces,
  round(CLEAN.NUMBER(abv, percent => 'number'), 6) AS abv,
  CLEAN.NUMBER(CLEAN.NULLS(ibu)) AS ibu,
  CLEAN.INTEGER(brewery_id) AS brewery_id,
  brewery_name,
  regexp_replace(city, ' [A-Z]{2}$', '') AS city,
  coalesce(CLEAN.NULLS(state), nullif(regexp_extract(city, ' ([A-Z]{2})$', 1), '')) AS state
FROM read_csv('data/raha_beers_dirty.csv', all_varchar = TRUE, header = TRUE);
