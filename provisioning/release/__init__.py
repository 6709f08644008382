"""`make bundle`: the parts of a bundle, from a clone."""
