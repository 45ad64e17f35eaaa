"""Ships a deployment: a container image, manifests for Kubernetes and KServe, and a template for CI."""
