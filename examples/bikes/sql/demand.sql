-- One row an hour, with the time it is about. How many rode (`casual`, `registered`) is known only with the answer.
CREATE TABLE hours (
    at TIMESTAMP PRIMARY KEY,
    rides INTEGER NOT NULL CHECK (rides >= 0)
) AS
SELECT
    dteday::TIMESTAMP + to_hours(hr) AS at,
    hr AS hour,
    weekday,
    workingday,
    holiday,
    weathersit AS weather,
    temp AS temperature,
    hum AS humidity,
    windspeed AS wind,
    cnt AS rides
FROM 'hour.csv';

-- Of the last half year, and judged on the newest rows: a version must be good at what comes, not at what was.
CREATE OR REPLACE MODEL demand
OPTIONS (
    model_type = 'BOOSTED_TREE_REGRESSOR',
    input_label_cols = ['rides'],
    data_split_method = 'SEQ',
    data_split_col = 'at',
    data_split_eval_fraction = 0.1,
    max_iterations = 40
) AS
SELECT * FROM hours
WHERE at > (SELECT max(at) FROM hours) - INTERVAL 180 DAY;
