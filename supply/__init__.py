"""What `habeas` is made of besides its own code: the closure of its dependencies, their licences, its SBOM."""
