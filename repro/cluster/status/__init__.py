"""Where every run is."""
