//! Samples that were finished when a rank drained, but wait behind one that was not: kept for the next attempt.
//!
//! The file is itself a tar: `{row}-{output}.sample head` holds the sample's journal line, its media follows.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reader::{MemberAt, TarReader};
use super::shard::Saved;
use super::tar::{HashWriter, append_bytes, append_end, append_payload};
use super::{Finished, Member, OutputSample, SinkError};
use crate::ledger::storage::StorageFile;
use crate::sample::{Failure, Payload, ReadSeek, SharedFile, Status, Usage};

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    row: u32,
    bytes: u64,
    meta: Map<String, Value>,
    status: Status,
    failure: Option<Failure>,
    text: Option<String>,
}

/// No extension of a member: reprocessed samples may bring a `.json` of their own.
const HEAD: &str = "sample head";

/// Writes `samples` to `file`.
pub fn write(
    file: Box<dyn StorageFile>,
    path: &str,
    samples: impl Iterator<Item = Finished>,
) -> Result<Saved, SinkError> {
    let failed = |source| SinkError::Write { path: path.to_owned(), source };
    let mut out = HashWriter::new(std::io::BufWriter::with_capacity(256 << 10, file));
    for finished in samples {
        let mut bytes = finished.bytes_received;
        for (n, mut output) in finished.outputs.into_iter().enumerate() {
            let key = format!("{}-{n}", finished.index);
            let head = Head {
                row: finished.index,
                bytes: std::mem::take(&mut bytes),
                meta: output.meta,
                status: output.status,
                failure: output.failure,
                text: output.text,
            };
            append_bytes(&mut out, &format!("{key}.{HEAD}"), &serde_json::to_vec(&head)?).map_err(failed)?;
            for member in &mut output.members {
                append_payload(&mut out, &format!("{key}.{}", member.extension), &mut member.payload)
                    .map_err(failed)?;
            }
        }
    }
    append_end(&mut out).map_err(failed)?;
    out.flush().map_err(failed)?;
    out.get_mut().get_mut().sync_data().map_err(failed)?;
    Ok(Saved { len: out.written(), sha256: out.digest() })
}

/// Reads what [`write()`] wrote. Media stays in the file until it is written on.
pub fn read(file: Box<dyn ReadSeek>, path: &str) -> Result<Vec<Finished>, SinkError> {
    let damaged = |reason: String| SinkError::Journal { path: path.to_owned(), reason };
    let mut reader = TarReader::new(file).map_err(|error| damaged(error.to_string()))?;
    let mut heads: Vec<(Head, Vec<MemberAt>)> = Vec::new();
    while let Some(member) = reader.next_member().map_err(|error| damaged(error.to_string()))? {
        if member.extension == HEAD {
            let bytes = reader.read(&member).map_err(|error| damaged(error.to_string()))?;
            heads.push((serde_json::from_slice(&bytes)?, Vec::new()));
        } else if let Some((_, members)) = heads.last_mut() {
            members.push(member);
        }
    }
    let shared: SharedFile = Arc::new(Mutex::new(reader.into_inner()));
    let mut samples: Vec<Finished> = Vec::new();
    for (head, members) in heads {
        let (row, bytes) = (head.row, head.bytes);
        let output = output(head, members, &shared);
        match samples.last_mut().filter(|last| last.index == row) {
            Some(last) => last.outputs.push(output),
            None => samples.push(Finished {
                index: row,
                outputs: vec![output],
                bytes_received: bytes,
                usage: Usage::default(),
                room: None,
            }),
        }
    }
    Ok(samples)
}

fn output(head: Head, members: Vec<MemberAt>, file: &SharedFile) -> OutputSample {
    let members = members.into_iter().map(|member| Member {
        extension: member.extension,
        payload: Payload::region(Arc::clone(file), member.offset, member.len),
    });
    OutputSample {
        meta: head.meta,
        status: head.status,
        failure: head.failure,
        text: head.text,
        members: members.collect(),
    }
}
