"""Checks of the raw tables. They run in the step that reads the file: no table is loaded twice."""

PRODUCT_CHECKS = {
    "csv_contract": "Columns, types and index as in the challenge, at least one row, unique product and image ids.",
}
LABEL_CHECKS = {
    "csv_contract": "Columns, types and index as in the challenge, at least one row, one label an index.",
    "known_classes": "Every class is one of the challenge's 27; a table of the full size has the real counts.",
}
