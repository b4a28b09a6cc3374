"""Parts of the few-shot benchmark."""
