"""Sending runs to a cluster."""
