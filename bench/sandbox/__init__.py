"""Measures the sandbox alone: every figure that it promises, beside what else runs Python for a stranger."""
