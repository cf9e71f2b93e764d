"""rediffuse: the tables and figures of three diffusion papers, regenerated from data."""
