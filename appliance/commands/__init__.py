"""What a person types at the box: facts are read from the database, wishes go into the spool."""
