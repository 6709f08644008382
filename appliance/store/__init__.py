"""The only code that knows SQL. One process, the agent, opens the database for writing."""
