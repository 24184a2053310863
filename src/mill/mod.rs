//! One sample in, its output samples out: the pool in the rank, the worker in a process of its own.
