//! A rank reduced to its ledger calls, and what must be true of the folder afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clipmill::error::Class;
use clipmill::ledger::storage::testing::{Counts, Hooked};
use clipmill::ledger::storage::{LocalStorage, Storage, StorageFile};
use clipmill::ledger::{
    Beat, Checkpoint, ColumnSpec, Commit, Committed, Failed, FileRecord, InputFingerprint, Lease, Ledger, LedgerError,
    Next, Options, Owner, Plan, PlanSpec, PlanWriter, Planner, Prefix, planner,
};
use clipmill::sample::{Cell, hex};
use serde_json::json;
use sha2::{Digest, Sha256};

pub const SHARDS: u64 = 6;
pub const ROWS_PER_SHARD: u32 = 3;
pub const TTL: Duration = Duration::from_millis(80);

pub fn local(root: &Path) -> Arc<dyn Storage> {
    Arc::new(LocalStorage::new(root))
}

/// The same without syncs: for tests that run a rank thousands of times, on a folder that need not survive the machine.
pub fn quick(root: &Path) -> Arc<dyn Storage> {
    Arc::new(Hooked::new(local(root), Arc::new(Counts::default())))
}

/// An owner whose process has ended by the time that anybody looks: a pid that Linux never gives.
pub fn dead_owner(rank: u32) -> Owner {
    Owner { pid: (1 << 22) + 1, ..live_owner(rank) }
}

pub fn live_owner(rank: u32) -> Owner {
    Owner::current("node", Some("slurm:1".into()), rank, 0)
}

/// An owner on a host that nothing is known of: only its heartbeats tell.
pub fn remote_owner(rank: u32) -> Owner {
    Owner { boot: format!("boot-{rank}"), host: format!("node{rank}"), ..live_owner(rank) }
}

pub fn options(rank: u32, world: u32) -> Options {
    let poll = (Duration::from_millis(2), Duration::from_millis(20));
    Options { rank, world, lease_ttl: TTL, poll, ..Options::default() }
}

pub fn spec(rows_per_shard: u32) -> PlanSpec {
    PlanSpec {
        number_sample_per_shard: rows_per_shard,
        oom_shard_count: 5,
        columns: vec![ColumnSpec::inferred("id"), ColumnSpec::text("url")],
        config: BTreeMap::from([("subsampling".to_owned(), "{}".to_owned())]),
        created_by: Some("slurm:1".into()),
    }
}

pub fn fingerprint(path: &str, content: &str) -> InputFingerprint {
    let sha256 = Some(hex(&Sha256::digest(content)));
    InputFingerprint { path: path.into(), size: content.len() as u64, mtime_ns: 7, sha256 }
}

pub fn url(row: u64) -> String {
    format!("http://example.org/{row}.mp4")
}

pub fn push_rows(writer: &mut PlanWriter, rows: std::ops::Range<u64>) -> Result<(), LedgerError> {
    for row in rows {
        writer.push_row(&[Cell::Text(&row.to_string()), Cell::Text(&url(row))], None)?;
    }
    Ok(())
}

pub fn plan(storage: &Arc<dyn Storage>, owner: &Owner, shards: u64) -> Result<Arc<Plan>, LedgerError> {
    let turn = match planner(storage, owner, TTL, &|_| true, &|| false)? {
        Planner::Published(plan) => return Ok(Arc::from(plan)),
        Planner::Me(turn) => turn,
        Planner::Stopped => unreachable!("nobody says stop"),
    };
    let planned = PlanWriter::begin(Arc::clone(storage), spec(ROWS_PER_SHARD)).and_then(|mut writer| {
        push_rows(&mut writer, 0..shards * u64::from(ROWS_PER_SHARD))?;
        writer.end_input(fingerprint("table.csv", "rows"))?;
        writer.finish()
    });
    drop(turn);
    match planned {
        Err(LedgerError::PlannedByAnother) => plan(storage, owner, shards),
        planned => planned.map(Arc::new),
    }
}

/// What a shard's tar has to hold.
pub fn tar_bytes(shard: u64) -> Vec<u8> {
    let first = shard * u64::from(ROWS_PER_SHARD);
    (first..first + u64::from(ROWS_PER_SHARD)).flat_map(|row| member(&url(row))).collect()
}

fn member(url: &str) -> Vec<u8> {
    format!("<{url}>\n").repeat(4).into_bytes()
}

pub fn sidecar_bytes(shard: u64) -> Vec<u8> {
    format!("sidecar of {shard}").into_bytes()
}

fn io(path: String) -> impl Fn(std::io::Error) -> LedgerError {
    use clipmill::ledger::storage::{Op, StorageError};
    move |error| StorageError::new(Op::Write, path.clone(), error).into()
}

/// The tar as far as it is written.
pub struct Tar {
    pub file: Box<dyn StorageFile>,
    pub hash: Sha256,
    pub len: u64,
    pub rows: u32,
}

impl Tar {
    pub fn open(lease: &Lease) -> Result<Self, LedgerError> {
        if let Some(checkpoint) = lease.resume()
            && let [prefix] = checkpoint.files.as_slice()
        {
            let mut hash = Sha256::new();
            if let Some(file) = lease.restore(prefix, &mut |block| hash.update(block))? {
                return Ok(Self { file, hash, len: prefix.len, rows: checkpoint.rows });
            }
        }
        Ok(Self { file: lease.create("tar")?, hash: Sha256::new(), len: 0, rows: 0 })
    }

    pub fn push(&mut self, lease: &Lease, url: &str) -> Result<Checkpoint, LedgerError> {
        let bytes = member(url);
        self.file.write_all(&bytes).map_err(io(lease.partial("tar")))?;
        self.hash.update(&bytes);
        self.len += bytes.len() as u64;
        self.rows += 1;
        Ok(self.checkpoint())
    }

    pub fn checkpoint(&self) -> Checkpoint {
        let prefix = Prefix { suffix: "tar".into(), len: self.len, sha256: self.hash.clone().finalize().into() };
        Checkpoint { rows: self.rows, files: vec![prefix] }
    }
}

/// Writes these rows in one go.
pub fn write_rows(lease: &Lease, rows: &[clipmill::sample::Row]) -> Tar {
    let mut tar = Tar::open(lease).unwrap();
    for row in rows {
        tar.push(lease, row.cells[1].as_str().unwrap()).unwrap();
    }
    tar
}

/// Works a shard off; `None` when the lease was lost underway.
pub fn work(storage: &dyn Storage, plan: &Plan, lease: &Lease) -> Result<Option<Commit>, LedgerError> {
    let rows = plan.read_shard(storage, lease.shard())?;
    let mut tar = Tar::open(lease)?;
    for row in rows.iter().skip(tar.rows as usize) {
        let checkpoint = tar.push(lease, row.cells[1].as_str().unwrap())?;
        if lease.beat(&checkpoint)? == Beat::Lost {
            return Ok(None);
        }
    }
    let stats = finish(lease, tar, BTreeMap::new())?;
    lease.commit(&stats).map(Some)
}

/// Writes the sidecar; returns the stats.
pub fn finish(lease: &Lease, tar: Tar, status_dict: BTreeMap<String, u64>) -> Result<Vec<u8>, LedgerError> {
    let sidecar = sidecar_bytes(lease.shard());
    lease.create("parquet")?.write_all(&sidecar).map_err(io(lease.partial("parquet")))?;
    let record = lease.record([
        ("tar".to_owned(), FileRecord { bytes: tar.len, sha256: hex(&tar.hash.finalize()) }),
        ("parquet".to_owned(), FileRecord { bytes: sidecar.len() as u64, sha256: hex(&Sha256::digest(&sidecar)) }),
    ]);
    let stats = json!({ "count": ROWS_PER_SHARD, "successes": ROWS_PER_SHARD, "status_dict": status_dict,
        "clipmill": record });
    Ok(serde_json::to_vec_pretty(&stats).unwrap())
}

/// A whole rank: plans, takes, works, until nothing is left. Returns the shards that it won.
pub fn rank(storage: &Arc<dyn Storage>, owner: Owner, options: Options, shards: u64) -> Result<Vec<u64>, LedgerError> {
    let plan = plan(storage, &owner, shards)?;
    let mut ledger = Ledger::open(Arc::clone(storage), Arc::clone(&plan), owner, options)?;
    let mut won = Vec::new();
    loop {
        match ledger.next()? {
            Next::Complete => return Ok(won),
            Next::GaveUp(shards) => panic!("gave up {shards:?}"),
            Next::Wait(pause) => std::thread::sleep(pause),
            Next::Take(lease) => match (lease.shard(), work(&**storage, &plan, &lease)) {
                (shard, Ok(Some(Commit::Won))) => won.push(shard),
                (_, Ok(_)) => {}
                (_, Err(error)) if error.class() == Class::Job => return Err(error),
                (shard, Err(error)) => {
                    if lease.fail(&error.to_string())? == Failed::Committed {
                        won.push(shard);
                    }
                }
            },
        }
    }
}

pub fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Whatever stands under a final name is whole, and a record's files are there.
pub fn check_visible(root: &Path) {
    for file in names(root) {
        let Some(shard) = file.get(..5).and_then(|name| name.parse::<u64>().ok()) else { continue };
        let bytes = std::fs::read(root.join(&file)).unwrap();
        match &file[5..] {
            ".tar" => assert_eq!(bytes, tar_bytes(shard), "{file}"),
            ".parquet" => assert_eq!(bytes, sidecar_bytes(shard), "{file}"),
            "_stats.json" => check_record(root, &file, &bytes),
            other => panic!("{file}: unexpected {other}"),
        }
    }
}

fn check_record(root: &Path, file: &str, bytes: &[u8]) {
    let committed: Committed = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(committed.clipmill.files.len(), 2, "{file}");
    for (name, record) in committed.clipmill.files {
        let bytes = std::fs::read(root.join(&name)).unwrap_or_else(|error| panic!("{file} names {name}: {error}"));
        assert_eq!(hex(&Sha256::digest(&bytes)), record.sha256, "{name}");
    }
}

/// Every shard is there, once and whole, and nothing else.
pub fn check_complete(root: &Path, shards: u64) {
    check_visible(root);
    let mut expected = BTreeSet::from(["_clipmill".to_owned()]);
    for shard in 0..shards {
        expected.extend([".tar", ".parquet", "_stats.json"].map(|suffix| format!("{shard:05}{suffix}")));
    }
    assert_eq!(names(root), expected);
    for folder in ["partial", "leases", "quarantine"] {
        assert_eq!(names(&root.join("_clipmill").join(folder)), BTreeSet::new(), "debris in {folder}");
    }
    let plan = names(&root.join("_clipmill/plan"));
    assert_eq!(plan.len(), 1, "debris in plan: {plan:?}");
}
