"""Reading every image once: the scan, its columns, and what is measured on pixels."""
