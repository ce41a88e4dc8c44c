"""Draws text on a terminal or into a file: the progress bar, digits, bars and curves."""
