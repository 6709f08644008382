"""What a county lives through, each a module with `play(trial)`: it returns when all held, and raises what did not."""
