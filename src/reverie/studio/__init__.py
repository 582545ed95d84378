"""A local web application: it reads run folders and calls what the command line calls. Nothing imports it but that."""
