"""Poses of HTC Vive controllers and trackers, from SteamVR to a Cerebellum cell over MQTT."""

__version__ = "0.1.0"
