"""The file storage (NAS): file systems that are folders, and mount targets by which instances see them."""
