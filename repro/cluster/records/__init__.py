"""What a submission leaves on disk: batches, and who has sent which run."""
