"""What the hub's operator sees of the counties, and how alarms get out: the watch, its page, its figures, its letters.

core/     PURE: the row of a county, what is wrong, what is told and when, letters, words, pages
gather    reads the hub's folder into a Fleet
watch     the loop: look, write page and figures, tell, deliver
"""
