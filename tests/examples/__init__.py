"""Programs that use the API, each to be read and copied, and the tests that run them."""
