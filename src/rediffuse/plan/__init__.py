"""`rediffuse plan`: what a preset costs before anything of it starts."""
