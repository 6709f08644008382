"""The loop that keeps a box true to its hub: observe, plan, execute, record. Read `agent.py` first."""
