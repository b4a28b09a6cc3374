"""The speed benchmark: counted work, stages, marginal picking, training time, memory."""
