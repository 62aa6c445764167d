"""Check of what is published. It runs before anything is put in place."""

OUTPUT_CHECKS = {
    "set_belongs_together": "Rows, masks, labels, image files and fingerprints of all files agree; else nothing is "
    "published, and the set before stays.",
}
