-- Trained on every fourth flight from January on, judged on those of the last months.
CREATE OR REPLACE MODEL late_arrival
OPTIONS (
  model_type = 'BOOSTED_TREE_CLASSIFIER', input_label_cols = ['late'], max_iterations = 30, max_tree_depth = 5,
  data_split_method = 'SEQ', data_split_col = 'scheduled', data_split_eval_fraction = 0.25
) AS
SELECT * EXCLUDE (flight_id) FROM flight_features WHERE hash(flight_id) % 4 = 0;

CREATE TABLE december_risk (flight_id VARCHAR PRIMARY KEY, risk DOUBLE CHECK (risk BETWEEN 0 AND 1)) AS
SELECT flight_id, scheduled, airline, c.prob AS risk
FROM ML.PREDICT(MODEL late_arrival, (SELECT * FROM flight_features WHERE scheduled >= DATE '2013-12-01')) AS p,
  UNNEST(p.predicted_late_probs) AS u(c)
WHERE c.label;
