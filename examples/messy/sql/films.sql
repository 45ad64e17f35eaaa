-- 101 films: dates in ten forms, letters in numbers, point and comma as decimal marks, a blank row.
CREATE TABLE films (id VARCHAR PRIMARY KEY, title VARCHAR NOT NULL, votes BIGINT NOT NULL, score DOUBLE CHECK (score BETWEEN 1 AND 10)) AS
SELECT
  CLEAN.TEXT(id) AS id,
  CLEAN.TEXT(title) AS title,
  coalesce(CLEAN.DATE(released, pivot => 30), CLEAN.DATE(released, day_first => TRUE, pivot => 30)) AS released,
  CLEAN.INTEGER(CLEAN.NULLS(duration), anywhere => TRUE) AS minutes,
  CLEAN.CATEGORY(
    CASE CLEAN.FOLD(country) WHEN 'us' THEN 'USA' ELSE country END,
    ['Brazil', 'Denmark', 'France', 'Germany', 'India', 'Iran', 'Italy', 'Japan', 'New Zealand', 'South Korea', 'UK',
     'USA', 'West Germany'],
    distance => 1
  ) AS country,
  coalesce(CLEAN.NULLS(rating), 'Not Rated') AS rating,
  CLEAN.TEXT(director) AS director,
  CLEAN.INTEGER(income, letters => TRUE) AS income,
  CLEAN.INTEGER(votes, decimal => ',') AS votes,
  CLEAN.NUMBER(score, decimal => 'either') AS score
FROM read_csv('data/messy_IMDB_dataset.csv', delim = ';', all_varchar = TRUE, header = FALSE, skip = 1,
  names = ['id', 'title', 'released', 'genre', 'duration', 'country', 'rating', 'director', 'empty', 'income', 'votes', 'score'])
WHERE CLEAN.NULLS(id) IS NOT NULL;
