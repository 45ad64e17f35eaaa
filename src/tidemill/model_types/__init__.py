"""One file per MODEL_TYPE: options with bounds and defaults, output columns, how to build the estimator."""
