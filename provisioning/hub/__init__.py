"""The hub: a folder on any POSIX file system, and the commands that sshd and its operator run on it."""
