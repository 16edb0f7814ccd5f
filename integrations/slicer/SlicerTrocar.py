"""A scripted module of 3D Slicer: sends a segmentation to Trocar and shows the plan.

What can be done without Slicer is in ``trocar_runs``, which is tested.
"""

import shlex
import tempfile
from pathlib import Path

import qt
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from trocar_runs import TrocarError, imported, planned


class SlicerTrocar(ScriptedLoadableModule):
    """What Slicer's list of modules shows."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Trocar"
        parent.categories = ["IGT"]
        parent.contributors = ["The Trocar project"]
        parent.helpText = "Proved needle trajectories. Research software, not a medical device."


class SlicerTrocarWidget(ScriptedLoadableModuleWidget):
    """The panel: segmentation, target, error, and a button."""

    def setup(self):
        """Lay out the panel."""
        super().setup()
        form = qt.QFormLayout()
        self.layout.addLayout(form)
        self.segmentations = slicer.qMRMLNodeComboBox()
        self.segmentations.nodeTypes = ["vtkMRMLSegmentationNode"]
        self.segmentations.setMRMLScene(slicer.mrmlScene)
        self.command = qt.QLineEdit("trocar")
        self.target = qt.QLineEdit("anterior_body:L3")
        self.error = qt.QDoubleSpinBox()
        self.error.value = 1.0
        self.button = qt.QPushButton("Plan")
        self.said = qt.QPlainTextEdit()
        self.said.readOnly = True
        for label, field in (
            ("Segmentation", self.segmentations), ("Target", self.target),
            ("Segmentation error, mm", self.error), ("Command", self.command),
        ):  # fmt: skip
            form.addRow(label, field)
        self.layout.addWidget(self.button)
        self.layout.addWidget(self.said)
        self.layout.addStretch(1)
        self.button.clicked.connect(self.plan)

    def plan(self):
        """Save the segmentation, plan, and load the paths and the scene."""
        node = self.segmentations.currentNode()
        if node is None:
            self.said.setPlainText("Choose a segmentation.")
            return
        folder = Path(tempfile.mkdtemp(prefix="trocar-"))
        segmentation = folder / "segmentation.seg.nrrd"
        slicer.util.saveNode(node, str(segmentation))
        trocar = shlex.split(self.command.text)
        try:
            with slicer.util.WaitCursor():
                notes = imported(trocar, segmentation, folder, self.error.value)
                plan = planned(trocar, folder, self.target.text)
        except TrocarError as refused:
            self.said.setPlainText(str(refused))
            return
        slicer.util.loadMarkups(str(plan.markups))
        slicer.util.loadModel(str(plan.scene))
        self.said.setPlainText("\n".join([plan.explanation, "", notes, plan.notes]))
