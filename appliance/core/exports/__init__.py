"""Days of a channel as other programs read them: pure writers, one a format. docs/formats.md, section 8."""
