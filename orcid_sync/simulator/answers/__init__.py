"""The documents with which the Registry answers: JSON, XML and the files of bulk data."""
