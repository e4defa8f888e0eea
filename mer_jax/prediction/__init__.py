"""From a recording to an answer of a trained run: predict, packs, export."""
