"""What the tests share: real servers, and the whole platform as real processes."""
