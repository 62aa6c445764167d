"""Stage 3: class codes as labels, and class weights."""
