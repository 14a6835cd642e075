"""Pictures of what happens while a network learns: costs over weights, gradients, steps, curves."""
