//! The worker program: makes of one sample at a time what its rank asks for. Started by clipmill, of no use on its own.

fn main() {}
