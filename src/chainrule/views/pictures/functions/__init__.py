"""Pictures of what neurons and networks compute: activations, surfaces, fits, losses."""
