"""SLURM: profiles of clusters, submission, the job that runs there, and where every run is."""
