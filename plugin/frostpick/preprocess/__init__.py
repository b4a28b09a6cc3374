"""From the pixels of a micrograph to the working image a network sees."""
