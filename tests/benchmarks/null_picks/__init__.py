"""False picks that lie on background, counted by the truth and by inverted contrast."""
