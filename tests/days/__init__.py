"""Days of a channel in minutes: its lists polled every second and held against the rules, whatever happens meanwhile.

    make air-sim SEED=7 HOURS=48        one history; SEEDS=20 [FROM=1] many

The code is the product's own: the store on a real SQLite file, the compiler, playlists, segments; what a web worker
answers is asked of the object that it asks. Simulated are the two clocks of the machine, and time. The agent is killed
with SIGKILL in the middle of what it writes, in a process of its own.
"""
