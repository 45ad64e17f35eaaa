"""The ML table functions, one file per group: from a `runner.call.FunctionCall` to rows."""
