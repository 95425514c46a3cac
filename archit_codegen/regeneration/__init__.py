"""From the spec to packages on disk: what surrounds the compiler."""
