"""Frames for pre-training: taken out of videos, recorded episodes and folders of pictures, kept in shards."""
