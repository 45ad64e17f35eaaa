"""Everything in one tree of processes: server, collector, monitor, scheduler; started, watched, ended in order."""
