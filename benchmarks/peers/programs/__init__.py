"""What each peer runs, in its own environment: a file of posts in, one with tags out."""
