"""A rehearsal: real rows in the order of their time, sent to a copy of a deployment, with labels that come later."""
