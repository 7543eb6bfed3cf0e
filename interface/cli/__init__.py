"""The `admitone` command: a module for each of its commands."""
