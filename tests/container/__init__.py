"""The container's steps, run without a container engine: `make container`."""
