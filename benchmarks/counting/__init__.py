"""How right corrected counts are, over the posts of a calibration sample."""
