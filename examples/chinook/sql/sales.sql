-- What the shop sold, copied out of its database and checked on the way: a table with rows that break a rule is not
-- published, and the one before it stays.

CREATE TABLE customers (
  customer_id PRIMARY KEY,
  email NOT NULL UNIQUE,
  country NOT NULL,
  CHECK (email LIKE '%_@_%')
) AS
SELECT CustomerId AS customer_id, Email AS email, Country AS country, SupportRepId AS agent_id
FROM shop.Customer;

CREATE TABLE tracks (
  track_id PRIMARY KEY,
  name NOT NULL,
  price NOT NULL,
  CHECK (minutes > 0)
) AS
SELECT t.TrackId AS track_id, t.Name AS name, a.Name AS artist, g.Name AS genre,
  t.Milliseconds / 60000 AS minutes, CAST(t.UnitPrice AS DECIMAL(10, 2)) AS price
FROM shop.Track AS t
LEFT JOIN shop.Album USING (AlbumId)
LEFT JOIN shop.Artist AS a USING (ArtistId)
LEFT JOIN shop.Genre AS g ON g.GenreId = t.GenreId;

-- Sales come in all the time: a run takes in those from the newest day on, and merges them by key. The check of all rows
-- is asked of the table as it will be.
CREATE TABLE invoices (
  invoice_id PRIMARY KEY,
  customer_id NOT NULL REFERENCES customers (customer_id),
  sold_on NOT NULL,
  total NOT NULL,
  CHECK (total >= 0),
  CHECK (count(*) >= 400)
) OPTIONS (incremental_by = 'sold_on', unique_key = ['invoice_id'], lookback = '7 days') AS
SELECT InvoiceId AS invoice_id, CustomerId AS customer_id, CAST(InvoiceDate AS DATE) AS sold_on,
  BillingCountry AS country, CAST(Total AS DECIMAL(10, 2)) AS total
FROM shop.Invoice;

CREATE TABLE invoice_lines (
  line_id PRIMARY KEY,
  invoice_id NOT NULL REFERENCES invoices (invoice_id),
  track_id NOT NULL REFERENCES tracks (track_id),
  CHECK (quantity > 0)
) OPTIONS (incremental_by = 'line_id', unique_key = ['line_id']) AS
SELECT InvoiceLineId AS line_id, InvoiceId AS invoice_id, TrackId AS track_id,
  CAST(UnitPrice AS DECIMAL(10, 2)) AS price, Quantity AS quantity
FROM shop.InvoiceLine;

ASSERT (SELECT sum(price * quantity) FROM invoice_lines) = (SELECT sum(total) FROM invoices)
AS 'the lines of the invoices add up to their totals';
