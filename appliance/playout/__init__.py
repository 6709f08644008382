"""The channel for a modulator: MPEG-TS over UDP at a constant rate, out of the air ledger. `songshan playout`.

    command   the command                    lead    which of two senders sends
    sender    the loop: what is due, sent    output  the socket
    shelf     segments read ahead of time    watch   the probe: hears the output and tells what is wrong with it
    memory    the ledger as last read        notify  systemd's watchdog

It needs neither the web server nor the agent to go on, and for as long as the ledger reached not even the database.
"""
