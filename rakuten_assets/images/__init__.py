"""Images as the project reads them: strict decoding, fault reasons, exact resizing."""
