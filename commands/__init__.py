"""Commands of `python cli.py`, and how one is made. `cli.py` gathers them and holds the rest."""
