"""Pure: data in, data out. Time and randomness are arguments; no clock, file, network or log is known here."""
