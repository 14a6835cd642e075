"""Pictures of how good predictions are, and the data that they are made for."""
