"""CAS(ME)^2: macro- and micro-expressions in long videos of the Chinese Academy of Sciences."""
