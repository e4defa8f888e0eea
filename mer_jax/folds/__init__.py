"""Who trains and who is left out: protocols, and rows added to balance classes (numpy)."""
