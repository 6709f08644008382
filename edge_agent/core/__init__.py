"""Pure: what the agent decides, from an observation that holds all it may know."""
