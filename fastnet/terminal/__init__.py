"""What is drawn as text: what a stream can show, the progress bar, digits and curves."""
