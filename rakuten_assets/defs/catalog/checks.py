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
GROUP_CHECKS = {
    "groups_complete": "One row an image, each in one group at every level, finer groups within coarser."
}
REPORT_CHECKS = {
    "blanks": "Share of blank images (RAKUTEN_BLANK_WARN).",
    "exact_duplicates": "Share of images that repeat another byte for byte (RAKUTEN_DUPLICATE_WARN).",
    "label_conflicts": "Share of train rows whose picture also has another class (RAKUTEN_CONFLICT_WARN).",
    "train_test_twins": "Share of test rows whose picture is also in train (RAKUTEN_TWIN_WARN).",
    "usual_size_and_mode": "Share of images of another size or mode than most (RAKUTEN_ODD_WARN).",
    "train_test_drift": "Train and test images alike in brightness, contrast, size... (RAKUTEN_DRIFT_WARN).",
}
MASK_CHECKS = {"one_flag_a_row": "As many flags as the split's CSV file has rows."}
