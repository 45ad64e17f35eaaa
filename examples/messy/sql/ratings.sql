-- The same films loaded as they were declared, nothing repaired: rows whose score is no number are not loaded, and can be
-- looked at in tidemill.rejects, with file, line, reason and text. With more than ten of them the old version stays.
CREATE TABLE ratings (id VARCHAR, title VARCHAR, score DOUBLE, CHECK (score BETWEEN 1 AND 10))
OPTIONS (max_bad_rows = 10) AS
SELECT * FROM read_csv('data/messy_IMDB_dataset.csv', delim = ';', header = FALSE, skip = 1,
  names = ['id', 'title', 'released', 'genre', 'duration', 'country', 'rating', 'director', 'empty', 'income', 'votes', 'score']);
