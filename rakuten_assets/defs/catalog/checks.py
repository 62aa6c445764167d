"""Checks of manifest and scan. They run in the step that makes the asset; those of a scan are by shard."""

MANIFEST_CHECKS = {
    "catalog_consistent": "Unique ids; train and test share no product; every train row has one label.",
    "manifest_complete": "One row an image, in CSV order, with the file name and the shard that its ids give.",
}
SCAN_CHECKS = {
    "every_image_scanned": "One scan row for each of the shard's images.",
    "unreadable_share": "Share of images that do not decode whole (RAKUTEN_UNREADABLE_WARN, RAKUTEN_UNREADABLE_FAIL).",
    "missing_share": "Share of images without a file (the same two settings).",
}
