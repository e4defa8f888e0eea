"""Measures of predictions, their intervals, and paired tests (numpy only)."""
