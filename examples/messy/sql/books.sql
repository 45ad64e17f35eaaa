-- 8,287 books of the British Library: years as cataloguers write them.
CREATE TABLE books (identifier BIGINT PRIMARY KEY, year BIGINT CHECK (year BETWEEN 1400 AND 2026)) AS
SELECT
  CLEAN.INTEGER("Identifier") AS identifier,
  CLEAN.TEXT("Title") AS title,
  CLEAN.YEAR("Date of Publication", corrected => TRUE) AS year,
  "Date of Publication" AS year_as_written,
  CASE WHEN CLEAN.FOLD("Place of Publication") LIKE '%london%' THEN 'London'
    ELSE CLEAN.RARE(CLEAN.TEXT("Place of Publication"), least => 10) OVER () END AS place
FROM read_csv('data/BL-Flickr-Images-Book.csv', all_varchar = TRUE, header = TRUE);
