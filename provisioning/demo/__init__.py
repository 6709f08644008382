"""A hub and two county boxes on one machine, from the product's own commands, to look at and to try."""
