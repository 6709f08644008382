"""The technician's screens. They read the database and act through the spool, so they work when the box does not."""
