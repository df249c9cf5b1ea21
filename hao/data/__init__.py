"""Data sets: generated scenes, ``shapes64``, VOC and COCO readers, images of the user's own. No torch in here."""
