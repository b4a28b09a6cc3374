"""Dense picking networks: strided, unpadded, one logit per output location."""
