"""What a trained network looks at."""
