"""What a person would write by hand for each job, as well as it is usually written: the yardstick."""
