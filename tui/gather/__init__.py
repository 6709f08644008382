"""Reads what the pages show, on a worker thread, and only for the page on top. One module per page.

`tui.gather.where` says what they are given. What is missing, locked or wrong is part of what was found: a page starts
where nothing else does.
"""
