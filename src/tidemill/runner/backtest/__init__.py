"""How a model would have done: trained at moments of the past on what was known then, tested on what came after."""
