"""What runs came to: tables, pictures, files in the workdir, and a page of several."""
