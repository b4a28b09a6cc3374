"""Every host and every command of frostpick."""
