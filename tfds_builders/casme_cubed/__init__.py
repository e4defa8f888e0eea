"""CAS(ME)^3, part A: micro-expressions of 100 participants (Li et al., IEEE TPAMI 2023)."""
