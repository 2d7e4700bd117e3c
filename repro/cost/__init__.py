"""What a run costs: parameters, memory and GPU-hours, and what earlier runs took."""
