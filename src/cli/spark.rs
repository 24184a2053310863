//! `clipmill spark`: the program for spark-submit.

use super::common::{Exit, print, tell};

const PROGRAM: &str = include_str!("clipmill_spark.py");

/// Prints it.
pub fn run() -> Exit {
    print(PROGRAM)
}

/// What `clipmill run` says where the config leaves the start of the ranks to Spark.
pub fn refuse() -> Exit {
    tell(
        "error: distribution.distributor is `pyspark`: Spark starts the ranks\n  = help: clipmill spark > clipmill_spark.py; \
         spark-submit clipmill_spark.py CONFIG [-o key=value …]",
    );
    Exit::Usage
}
