"""Tools for assistants, by the Model Context Protocol. They use the public API alone."""
