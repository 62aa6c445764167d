"""The integrity report: findings, figures, pictures, and the page that shows them."""
