"""What the process that workers are forked from loads once, so that a new worker is there at once.

Not for importing: that process, too, must go when the service goes, whatever it is doing.
"""

from api import live_work, work
from api.worker_process import die_with_parent

__all__ = ["live_work", "work"]

die_with_parent()
