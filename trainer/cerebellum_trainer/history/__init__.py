"""Policies of a robot on legs: networks that take what it felt and did in its newest steps; bundles."""
