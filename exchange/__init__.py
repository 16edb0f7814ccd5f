"""What other programs write and read: segmentations in, plans and scenes out.

Segmentations become cases here (``trocar import``), and scenes become files for 3D Slicer, DICOM
archives and spreadsheets. What a case may say is the business of ``planner.case_io``.
"""
