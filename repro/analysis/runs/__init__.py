"""Run folders, read: records, frames, and the cache that keeps them."""
