"""What a picker answers to known objects of every size; read `objects` first."""
