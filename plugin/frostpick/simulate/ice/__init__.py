"""What lies in and on the ice of a corpus micrograph; `random_ice` draws some of it."""
