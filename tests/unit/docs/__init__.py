"""What is written is held against the code: documents, deploy files, SQL, and the markers of tests."""
