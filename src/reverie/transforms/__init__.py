"""Transforms: invertible maps of codes that give their log-determinants. No losses, no distributions."""
