"""The stories of the cohorts that are built in.

``PUBLISHED``: 31 procedures with 72 targets in the mix of the published series (DOMAIN 1.1): 32
thoracic, 24 lumbar, 13 sacral and 3 iliac; 42 loose screws, 7 sunken cages, 12 fractures within
the construct and 11 next to it. The series does not tell which failure was at which level, nor
which targets shared a procedure: that was chosen here.
"""

from phantom.patients import Story

PUBLISHED: tuple[Story, ...] = (
    # Thoracic: 16 loose screws, 8 fractures within, 8 junctional.
    Story(levels="T4-T6", loose="T4L T4R"),
    Story(levels="T5-T7", bare="T6", loose="T5L", within="T6", bent=True),
    Story(levels="T6-T8", loose="T7L T7R", junctional="T6"),
    Story(levels="T7-T9", bare="T8", loose="T9R", within="T8", operated="T8:lamina_removed"),
    Story(levels="T8-T10", loose="T9L", junctional="T8"),
    Story(levels="T9-T11", bare="T10", within="T10", operated="T10:facets_removed"),
    Story(levels="T10-T12", loose="T11R", junctional="T10"),
    Story(levels="T2-T4", junctional="T2"),
    Story(levels="T11-L1", bare="T12", loose="T11L T11R", within="T12", bent=True),
    Story(levels="T6-T11", loose="T7L T11R", within="T9", junctional="T6", bent=True),
    Story(levels="T8-L1", bare="T10", loose="T8R", within="T10 T11", curved=True),
    Story(levels="T1-T3", loose="T1L"),
    Story(levels="T9-T12", loose="T10L", within="T11", junctional="T9", curved=True),
    Story(levels="T11-L1", junctional="T11"),
    Story(levels="T5-T7", loose="T6L", junctional="T5", operated="T6:lamina_removed"),
    # Lumbar and pelvic: 10 loose screws, 7 cages, 4 fractures within, 3 junctional; 13 loose
    # screws in S1, 3 in an ilium.
    Story(levels="L1-L3", bare="L2", loose="L1L", within="L2", bent=True),
    Story(levels="L2-L4", within="L3", operated="L3:lamina_removed"),
    Story(levels="L1-L3", loose="L2L L2R", junctional="L1"),
    Story(levels="L2-L4", junctional="L2", cages="L3"),
    Story(levels="L3-L5", loose="L3R", cages="L4", operated="L4:facets_removed"),
    Story(levels="L4-S1", loose="S1L S1R"),
    Story(levels="L4-S1", loose="S1L", cages="L4"),
    Story(levels="L3-S1", loose="L3L S1R", cages="L3"),
    Story(levels="L4-S1", loose="S1L S1R iliumL", ilium=True),
    Story(levels="L4-S1", loose="S1R iliumR", ilium=True),
    Story(levels="L2-S1", loose="L2L L2R S1L", within="L4"),
    Story(levels="L3-L5", junctional="L3", cages="L4"),
    Story(levels="L4-S1", loose="S1L S1R", cages="L4", operated="L5:lamina_removed"),
    Story(levels="L4-S1", loose="L4R S1L iliumL", ilium=True),
    Story(levels="L1-L5", loose="L1R L5L", within="L3", cages="L4", curved=True),
    Story(levels="L4-S1", loose="S1L S1R"),
)

# One level after another with two screws, its neighbours drawn with two screws each.
BILATERAL: tuple[Story, ...] = (
    *(Story(levels=f"T{n - 1}-T{n + 1}", loose=f"T{n}L") for n in range(4, 12)),
    Story(levels="T11-L1", loose="T12L"),
    Story(levels="T12-L2", loose="L1L"),
    *(Story(levels=f"L{n - 1}-L{n + 1}", loose=f"L{n}L") for n in range(2, 5)),
    Story(levels="L4-S1", loose="L5L"),
)
