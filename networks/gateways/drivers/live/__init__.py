"""What each vendor tells about itself at the moment, as rows of the live view's parts."""
