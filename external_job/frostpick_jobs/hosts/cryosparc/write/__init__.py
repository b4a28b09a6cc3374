"""From picks to the outputs of an External job."""
