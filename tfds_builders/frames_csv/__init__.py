"""A CSV of the user that lists clips: folders of frames, and videos."""
