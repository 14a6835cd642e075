"""Pictures of what neurons and layers look for and make of the data."""
