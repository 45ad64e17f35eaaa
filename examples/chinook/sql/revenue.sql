CREATE TABLE revenue (
  UNIQUE (month, genre),
  CHECK (amount > 0)
) AS
SELECT date_trunc('month', sold_on) AS month, genre, sum(l.price * quantity) AS amount
FROM invoice_lines AS l JOIN invoices USING (invoice_id) JOIN tracks USING (track_id)
GROUP BY ALL;
