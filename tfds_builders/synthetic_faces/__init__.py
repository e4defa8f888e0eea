"""Clips of drawn faces whose motion is known exactly."""
