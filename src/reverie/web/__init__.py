"""The front end of what runs in a browser: modules and styles of our own, and a lock of the files of others."""
