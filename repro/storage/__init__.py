"""Files and folders: where everything is, and how it is written so that it is whole or absent."""
