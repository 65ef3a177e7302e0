"""What is asked of the mirror as a whole: reports, questions, organisations, discoveries."""
