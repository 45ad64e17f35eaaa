"""Everything in one tree of processes: server, collector, scheduler; started, watched, ended in order."""
