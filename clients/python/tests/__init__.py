"""Run by: python3 -m unittest discover -s clients/python -t clients/python"""
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
for p in (here / "stand_in", here.parent):
    if str(p) not in sys.path:
        sys.path.insert(0, str(p))
