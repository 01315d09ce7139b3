"""The host platform's mechanisms: cores that are processes of this machine, over one shared mapping."""
