"""Where documents live: one MongoDB, embedded or remote, or an in-memory stand-in."""
