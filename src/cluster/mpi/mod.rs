//! MPI, at arm's length.
//!
//! MPI lives in a helper process, the second program `clipmill-mpi`; no rank is linked with libmpi. A linked libmpi
//! decides for the whole process: without the library the program does not start, and an `MPI_Init` under the wrong
//! launcher calls `abort()`, crashes, or waits for ever. In a helper, each of these is an error that a rank can report
//! and do without. The helper inherits the PMI/PMIx environment and descriptors from its rank, so that the launcher
//! takes it for the rank.
//!
//! What MPI is good for here: one exit code for all (a rank that exits non-zero under `mpirun` takes the others down
//! while they still drain), and handing small things around. Output never depends on it.

mod error;
mod helper;
mod join;
mod wire;

use std::time::Duration;

use helper::Helper;
use wire::Kind;

pub use error::MpiError;
pub(super) use join::join;

/// How long MPI_Finalize may take, at most.
const FINALIZE_PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the processes that one launcher call started: one array task's ranks, not the whole array's.
///
/// Every operation is collective: all ranks of the group call the same operations in the same order. Each blocks its
/// thread, at most for the patience it is given; after a failure all further ones fail at once with
/// [`MpiError::Gone`]. Dropping the session without [`MpiSession::finish`] kills the helper.
#[derive(Debug)]
pub struct MpiSession {
    helper: Option<Helper>,
    rank: u32,
    size: u32,
    library: String,
    by_srun: bool,
    gone: String,
}

impl MpiSession {
    /// This process's rank within the group.
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// Processes in the group.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Name and version of the MPI library.
    pub fn library(&self) -> &str {
        &self.library
    }

    /// Hands rank 0's bytes to all. The others' `bytes` are ignored. At most 256 MiB.
    ///
    /// # Errors
    /// [`MpiError`]: MPI is lost; go on without.
    pub fn broadcast(&mut self, bytes: &[u8], patience: Duration) -> Result<Vec<u8>, MpiError> {
        let bytes = if self.rank == 0 { bytes } else { &[] };
        self.ask("a broadcast", Kind::Broadcast, bytes, patience)
    }

    /// Collects everyone's bytes at rank 0, in the order of ranks; the others get an empty list. At most 256 MiB in all.
    ///
    /// # Errors
    /// [`MpiError`]: MPI is lost; go on without.
    pub fn gather(&mut self, bytes: &[u8], patience: Duration) -> Result<Vec<Vec<u8>>, MpiError> {
        let packed = self.ask("a gather", Kind::Gather, bytes, patience)?;
        if self.rank != 0 {
            return Ok(Vec::new());
        }
        match unpack(&packed).filter(|parts| parts.len() == self.size as usize) {
            Some(parts) => Ok(parts),
            None => self.lose(MpiError::Protocol { step: "a gather", what: "the parts do not add up".into() }),
        }
    }

    /// Returns when all have called it.
    ///
    /// # Errors
    /// [`MpiError`]: MPI is lost; go on without.
    pub fn barrier(&mut self, patience: Duration) -> Result<(), MpiError> {
        self.ask("a barrier", Kind::Barrier, &[], patience).map(drop)
    }

    /// To be called when the start is over: says whether the session goes on.
    ///
    /// Slurm's PMIx plugin cancels the whole step when one connected process dies, so under `srun` a rank that is killed
    /// would take down all that MPI connects it to; this therefore ends MPI (MPI_Finalize) there. `srun` itself lets
    /// the others finish, and reports the highest exit code. `mpirun` kills the others in any case, also when a rank
    /// exits non-zero: there the session stays, for [`MpiSession::finish`].
    pub fn settle(&mut self, patience: Duration) -> bool {
        if self.by_srun && self.helper.is_some() {
            self.finalize(patience);
            self.gone = "it was ended after the start, as is right under srun".into();
        }
        self.helper.is_some()
    }

    /// Ends MPI and agrees on one exit code for all: the gravest one of [`gravest`].
    ///
    /// Call it last, after the drain. A rank that no longer answers costs the others `patience`, no more: they then keep
    /// their own code. After [`MpiSession::settle`] under `srun`, the own code is the answer.
    pub fn finish(mut self, code: u8, patience: Duration) -> u8 {
        match self.agree(code, patience) {
            Ok(agreed) => {
                self.finalize(patience);
                agreed
            }
            Err(error) => {
                tracing::debug!(%error, code, "no common exit code");
                code
            }
        }
    }

    fn finalize(&mut self, patience: Duration) {
        // Everything is agreed by now, so nothing is lost where a library hangs in MPI_Finalize (MPICH over UCX can).
        if self.ask("MPI_Finalize", Kind::Finalize, &[], patience.min(FINALIZE_PATIENCE)).is_ok()
            && let Some(helper) = self.helper.take()
        {
            helper.end();
        }
    }

    fn agree(&mut self, code: u8, patience: Duration) -> Result<u8, MpiError> {
        let codes = self.gather(&[code], patience)?;
        let agreed = gravest(codes.into_iter().flatten().chain([code]));
        let answer = self.broadcast(&[agreed], patience)?;
        Ok(answer.first().copied().unwrap_or(code))
    }

    fn ask(&mut self, step: &'static str, kind: Kind, payload: &[u8], patience: Duration) -> Result<Vec<u8>, MpiError> {
        let Some(helper) = self.helper.as_mut() else { return Err(MpiError::Gone { why: self.gone.clone() }) };
        let answer = helper.tell(step, kind, payload).and_then(|()| helper.hear(step, kind, patience));
        answer.or_else(|error| self.lose(error))
    }

    fn lose<T>(&mut self, error: MpiError) -> Result<T, MpiError> {
        self.gone = error.to_string();
        self.helper = None;
        Err(error)
    }
}

/// The exit code that a whole job ends with: anything unforeseen, then a usage error (2), then work left (75: it is to
/// be started again, and will then tell of failed samples), then too many failed samples (3), then success.
pub fn gravest(codes: impl IntoIterator<Item = u8>) -> u8 {
    let weight = |code: &u8| match code {
        0 => 0,
        3 => 1,
        75 => 2,
        2 => 3,
        _ => 4,
    };
    codes.into_iter().max_by_key(weight).unwrap_or(0)
}

fn unpack(mut packed: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = packed.split_first_chunk::<4>() {
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        parts.push(part.to_vec());
        packed = rest;
    }
    packed.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_by_gravity() {
        assert_eq!(gravest([0, 0]), 0);
        assert_eq!(gravest([0, 3, 0]), 3);
        assert_eq!(gravest([3, 75, 0]), 75);
        assert_eq!(gravest([75, 2]), 2);
        assert_eq!(gravest([2, 1, 75]), 1);
        assert_eq!(gravest([0, 137]), 137);
        assert_eq!(gravest([]), 0);
    }

    #[test]
    fn gathered_parts() {
        assert_eq!(unpack(&[]), Some(vec![]));
        assert_eq!(unpack(&[1, 0, 0, 0, 7, 0, 0, 0, 0]), Some(vec![vec![7], vec![]]));
        assert_eq!(unpack(&[2, 0, 0, 0, 7]), None);
        assert_eq!(unpack(&[1, 0, 0]), None);
    }

    #[test]
    fn frames_and_foreign_bytes() {
        let mut bytes = Vec::new();
        wire::write(&mut bytes, Kind::Gather, b"abc").unwrap();
        assert_eq!(wire::read(&mut &bytes[..]).unwrap(), Some((Kind::Gather, b"abc".to_vec())));
        assert_eq!(wire::read(&mut &[][..]).unwrap(), None);
        for foreign in [&b"Hello, world\n"[..], b"CLMP", b"CLMP\xff\0\0\0\0", b"CLMP\0\xff\xff\xff\xff", &bytes[..10]] {
            assert!(wire::read(&mut &foreign[..]).is_err(), "{foreign:?}");
        }
    }
}
