"""Apex spotting: labels of frames, decoders, scores."""
