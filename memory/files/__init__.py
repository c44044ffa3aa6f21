"""Files of a tenant: versions in the database, bytes in a folder or a bucket."""
