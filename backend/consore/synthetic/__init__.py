"""Fictional centres in the formats that hospitals give, with the truth beside them: to try, to train, to measure."""

from consore.synthetic.centre import GeneratedCentre, generate_centre

__all__ = ["GeneratedCentre", "generate_centre"]
