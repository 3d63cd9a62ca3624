"""Updown programs: what they are told, and how they are run."""
