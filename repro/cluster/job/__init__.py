"""What a job does on its node: train its run, or the few that share it, from where they were."""
