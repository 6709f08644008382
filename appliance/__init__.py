"""The box: what it holds, what it decides, what it serves.

`core` is pure and everything stands on it; `config` tells where things are; `store`, `files`, `spool` and `packaging`
are the only doors to SQL, to assets on disk, to what comes in, and to ffmpeg; `web` serves, `commands` tell and ask.
Only the agent writes `box.db`; all others read it and put what they want done into the spool.
"""
