"""Dense picking networks: `dense` says what picking and training ask of one."""
