"""The pure part: from what the folder holds and the time to rows, troubles, messages, letters and pages."""
