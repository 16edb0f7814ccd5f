"""Cases as this program reads them: with the label maps that they may name."""

from functools import partial

from exchange.label_map import label_surfaces
from planner import case_io

load_case = partial(case_io.load_case, label_maps=label_surfaces)
case_from_document = partial(case_io.case_from_document, label_maps=label_surfaces)
