"""Pictures of trainings held against each other: contrasts with their confidence, laws, what is learned when."""
