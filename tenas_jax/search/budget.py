"""What an architecture may cost."""


class Budget:
    """Being written."""
