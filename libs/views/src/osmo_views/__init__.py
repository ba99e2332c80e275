"""The read model: checkpointed projections of the log into PostgreSQL, and the memory twin."""
