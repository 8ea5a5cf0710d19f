"""What is remembered: notes, found again by words and by meaning; files kept by their digest; a cache."""
