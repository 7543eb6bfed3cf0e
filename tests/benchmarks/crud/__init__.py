"""A booking service written by hand, to compare with."""
