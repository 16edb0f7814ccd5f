"""What the service remembers: cases and plans in a database, bytes of meshes by their digest."""
