"""Pictures of networks at work: memory, language, codes, energies, physics."""
