"""PostgreSQL: pool, migrations, checkpointed projections, named SQL; and the memory twin."""
