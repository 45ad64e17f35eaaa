-- 1,000 medical articles. Most of what is wrong here cannot be seen in the file: 1/1/14 is a date that looks right.
-- Question marks of a lost encoding are taken out; the rest stays as it came.
CREATE TABLE articles (id BIGINT PRIMARY KEY) AS
SELECT
  CLEAN.INTEGER(id) AS id,
  replace(article_title, chr(65533), '') AS article_title,
  article_language,
  replace(journal_title, chr(65533), '') AS journal_title,
  jounral_abbreviation,
  journal_issn,
  article_jvolumn,
  article_jissue,
  article_jcreated_at,
  article_pagination,
  replace(author_list, chr(65533), '') AS author_list
FROM read_csv('data/raha_rayyan_dirty.csv', all_varchar = TRUE, header = TRUE);
