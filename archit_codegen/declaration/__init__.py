"""From a live, modified module to the source that declares it."""
