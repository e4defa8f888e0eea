"""What belongs to the project, but not to its main job."""
