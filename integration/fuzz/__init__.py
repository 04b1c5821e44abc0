"""The differential fuzzer: the same script through pgmemo and directly, every reply compared. See run.py for its use."""
