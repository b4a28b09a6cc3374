"""Networks, and the model file that carries one."""
