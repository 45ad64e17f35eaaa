-- How bitter a beer is, from its strength, its can and its kind: on cleaned columns, of the beers whose bitterness is known.
CREATE OR REPLACE MODEL bitterness OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['ibu']) AS
SELECT abv, ounces, CLEAN.RARE(style, least => 20) OVER () AS style, ibu FROM beers WHERE ibu IS NOT NULL AND abv IS NOT NULL;
