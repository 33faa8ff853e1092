"""A labelled picture set without a download: drawn objects whose shape, colour, texture and up are known."""
