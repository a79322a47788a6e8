"""Study → profile: the only room where capture, estimation and pid meet."""
