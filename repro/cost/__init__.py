"""What a run costs, computed from its layers: parameters, memory, GPU-hours; and what earlier runs took."""
