"""What several commands share: options, the streams, progress, and how a command ends."""
