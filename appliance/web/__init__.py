"""The web server: pages, API, media and live channels, all read from the database and the disk."""
