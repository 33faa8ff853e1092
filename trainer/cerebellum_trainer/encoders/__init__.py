"""Frozen encoders of any make behind one interface: how they are named, kept, imported and counted."""
