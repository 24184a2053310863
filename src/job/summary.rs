//! The last words of a job, said by rank 0 alone.

use super::JobError;
use super::rank::{Ending, Work};
use crate::audit::status;

/// Sums the commit records up once, and decides whether too many samples failed.
pub fn close(work: &Work, ending: Ending) -> Result<Ending, JobError> {
    let Ending::Complete { .. } = ending else { return Ok(ending) };
    let report = status(&work.config.job.output_folder, work.storage.as_ref(), &work.plan)?;
    let failed_share = report.failed as f64 / report.rows.max(1) as f64;
    tracing::info!(
        "complete: {} rows in {} shards, {} succeeded, {} failed ({:.2} %), {} filtered, {}",
        report.rows_done,
        report.committed,
        report.successes,
        report.failed,
        100.0 * failed_share,
        report.filtered,
        indicatif::HumanBytes(report.bytes)
    );
    let too_many_failed = failed_share > work.config.job.max_failed_fraction;
    if too_many_failed {
        tracing::error!(
            "{:.2} % of the samples failed; job.max_failed_fraction allows {:.2} %: see `clipmill status`",
            100.0 * failed_share,
            100.0 * work.config.job.max_failed_fraction
        );
    }
    Ok(Ending::Complete { too_many_failed })
}
