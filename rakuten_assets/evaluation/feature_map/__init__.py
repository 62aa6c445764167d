"""The feature map: features in two dimensions, as a picture and as a page with every point's image."""
