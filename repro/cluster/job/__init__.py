"""What a job does on its node: trains its run, or the few that share it, from wherever they were left."""
