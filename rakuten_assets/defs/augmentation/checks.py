"""Checks of what training needs to know of the images. They run in the step that makes the asset."""

SUMS_CHECKS = {
    "one_row_a_whole_image": "One row for each train image of the shard that decodes whole, in order."
}
STATISTICS_CHECKS = {
    "statistics_cover_the_rows": "They are of every train image that decodes whole, and no channel is constant."
}
