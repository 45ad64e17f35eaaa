"""Words everybody uses: names, types, digests, clock, settings, errors. Imports nothing of ours."""
