"""What a run or a measurement found: tables, pictures, and files in the workdir."""
