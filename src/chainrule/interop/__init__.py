"""Floor 6, beside the views: networks as other libraries want them."""
