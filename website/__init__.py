"""The site: docs/ and what is generated from the package, as pages for the browser. `make site` builds it."""
