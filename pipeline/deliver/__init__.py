"""Handing recommendations to what sends the mail: finished content, never mail itself."""
