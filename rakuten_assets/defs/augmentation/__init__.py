"""Stage 6: what training needs to know of the images, and what augmentation does to them."""
