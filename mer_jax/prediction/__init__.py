"""What trained networks say of recordings: videos, folders of frames and cameras."""
