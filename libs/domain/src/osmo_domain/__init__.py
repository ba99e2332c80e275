"""Pure core: ids, quantities, the spec, plans and the aggregates."""
