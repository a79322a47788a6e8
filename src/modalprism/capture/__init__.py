"""Model → embeddings, inference only: encoders, networks, hooks, and the store on disk."""
