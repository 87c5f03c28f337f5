"""`/api/v1`: the desk for programs. `doors` lets them in, `reference` tells of all there is."""
