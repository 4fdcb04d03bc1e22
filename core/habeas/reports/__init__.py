"""What habeas hands out: the access package, certificates and compliance reports, one module or package per format."""
