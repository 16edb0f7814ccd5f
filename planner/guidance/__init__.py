"""What is told beside a path's safety, as guidance; start with ``told``."""
