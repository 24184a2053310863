//! What this machine can and cannot do for a job.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cluster::open_files;

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warning,
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    pub name: String,
    pub level: Level,
    pub detail: String,
    /// What to do about it; empty where all is well.
    pub remedy: String,
}

impl Check {
    pub fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Ok, detail: detail.into(), remedy: String::new() }
    }

    pub fn warning(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Warning, detail: detail.into(), remedy: remedy.into() }
    }

    pub fn failure(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Failure, detail: detail.into(), remedy: remedy.into() }
    }
}

/// Whether `transfers` at once fit under the hard limit of open files, up to which a run raises its own.
pub fn open_files(transfers: u32) -> Check {
    let limit = open_files::limit();
    let shown = limit.map_or_else(|| "no limit".to_owned(), |limit| format!("limit {limit}"));
    let fit = open_files::Room::under(limit, transfers).transfers;
    let detail = format!("{shown}, {fit} of {transfers} transfers fit");
    if fit < transfers {
        return Check::warning(
            "open files",
            detail,
            "raise it with `ulimit -Hn`, or set a smaller distribution.thread_count",
        );
    }
    Check::ok("open files", detail)
}

/// Space on scratch, where media beyond the memory budget goes.
pub fn scratch(folder: &Path, memory_budget: u64) -> Check {
    let name = "scratch";
    if let Err(error) = probe_write(folder) {
        return Check::failure(
            name,
            format!("{} cannot be written: {error}", folder.display()),
            "set TMPDIR or job.tmp_dir to a folder on a local disk",
        );
    }
    match rustix::fs::statvfs(folder) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let detail = format!("{}, {} free", folder.display(), indicatif::HumanBytes(free));
            if free < memory_budget {
                Check::warning(name, detail, "less than distribution.memory_budget: large videos may not fit")
            } else {
                Check::ok(name, detail)
            }
        }
        Err(error) => Check::warning(name, format!("{}: {error}", folder.display()), "cannot tell its free space"),
    }
}

/// Whether a media worker starts, and what holds it in.
#[cfg(feature = "media")]
pub fn media_workers() -> Check {
    use crate::mill::{Limits, Pool, PoolOptions, SandboxLevel};
    let name = "media workers";
    let options = PoolOptions {
        program: Pool::program(),
        workers: 1,
        limits: Limits::default(),
        scratch: std::sync::Arc::new(std::env::temp_dir()),
        budget: crate::sample::Budget::new(0),
    };
    let level = || -> Result<SandboxLevel, Box<dyn std::error::Error>> {
        let pool = Pool::new(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(pool.sandbox())?)
    };
    match level() {
        Ok(level) if level.refuses_reads() && level.refuses_network() => {
            Check::ok(name, format!("start; sandbox: {level}"))
        }
        Ok(level) => Check::warning(
            name,
            format!("start; sandbox: {level}"),
            "hostile media is held in by less; see doc/subsamplers.md",
        ),
        Err(error) => Check::failure(name, error.to_string(), "jobs with subsamplers cannot run here"),
    }
}

/// Days after which a yt-dlp is old: sites change, and every few weeks a release follows them.
const STALE_DAYS: u64 = 90;

/// The yt-dlp in `PATH`, which fetches pages of sites; jobs over files need none.
pub fn sites() -> Check {
    use crate::fetch::program::{age_in_days, check, find};
    let name = "yt-dlp";
    let update = "`pip install -U yt-dlp`, on all nodes";
    let program = match find(Path::new(name)) {
        Ok(program) => program,
        Err(_) => return Check::ok(name, "not in PATH; only pages of sites need it (`pip install yt-dlp`)"),
    };
    let version = match check(&program) {
        Ok(version) => version,
        Err(error) => {
            return Check::warning(name, error.to_string(), format!("pages of sites cannot be fetched: {update}"));
        }
    };
    let detail = format!("{version}, {}", program.display());
    match age_in_days(version, std::time::SystemTime::now()) {
        Some(days) if days > STALE_DAYS => {
            let detail = format!("{detail}, {days} days old");
            Check::warning(name, detail, format!("sites change, and old ones fail on them: {update}"))
        }
        _ => Check::ok(name, detail),
    }
}

/// The proxies of the environment.
pub fn proxies() -> Check {
    let names = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
    let set: Vec<String> = names
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_uppercase()])
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    let detail = if set.is_empty() { "none in the environment".to_owned() } else { set.join(", ") };
    Check::ok("proxies", detail)
}

/// What the ledger rests on, tried in `output`: exclusive creation, exclusive links, renames that replace.
pub fn output_semantics(output: &Path) -> Vec<Check> {
    let folder = output.join(format!(".clipmill-doctor-{}", std::process::id()));
    if let Err(error) = fs::create_dir_all(&folder) {
        return vec![Check::failure(
            "output",
            format!("{} cannot be written: {error}", output.display()),
            "check the path, your permissions and your quota",
        )];
    }
    let checks = vec![exclusive_create(&folder), exclusive_link(&folder), replacing_rename(&folder)];
    if let Err(error) = fs::remove_dir_all(&folder) {
        tracing::warn!("cannot remove {}: {error}", folder.display());
    }
    checks
}

fn exclusive_create(folder: &Path) -> Check {
    let name = "output: exclusive create";
    let path = folder.join("exclusive");
    let create = || File::options().write(true).create_new(true).open(&path);
    match (create(), create()) {
        (Ok(_), Err(error)) if error.kind() == std::io::ErrorKind::AlreadyExists => Check::ok(name, "works"),
        (Err(error), _) => Check::failure(name, error.to_string(), BROKEN_FS),
        (_, second) => Check::failure(name, format!("the second creation gave {second:?}"), BROKEN_FS),
    }
}

fn exclusive_link(folder: &Path) -> Check {
    let name = "output: exclusive link";
    let (from, to) = (folder.join("from"), folder.join("to"));
    let linked = File::create(&from).and_then(|_| fs::hard_link(&from, &to));
    match (linked, fs::hard_link(&from, &to)) {
        (Ok(()), Err(error)) if error.kind() == std::io::ErrorKind::AlreadyExists => Check::ok(name, "works"),
        (Err(error), _) => Check::warning(
            name,
            format!("no hard links: {error}"),
            "commits fall back to an exclusive rename where the file system has one; `clipmill run` refuses otherwise",
        ),
        (Ok(()), second) => Check::failure(name, format!("the second link gave {second:?}"), BROKEN_FS),
    }
}

fn replacing_rename(folder: &Path) -> Check {
    let name = "output: replacing rename";
    let (from, to) = (folder.join("new"), folder.join("old"));
    let renamed = fs::write(&from, "new").and_then(|()| fs::write(&to, "old")).and_then(|()| fs::rename(&from, &to));
    match renamed.and_then(|()| fs::read(&to)) {
        Ok(bytes) if bytes == b"new" => Check::ok(name, "works"),
        Ok(_) => Check::failure(name, "the old file is still there", BROKEN_FS),
        Err(error) => Check::failure(name, error.to_string(), BROKEN_FS),
    }
}

const BROKEN_FS: &str = "exactly-once output cannot be promised on this file system: choose another output folder";

fn probe_write(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!("clipmill-doctor-{}", std::process::id()));
    let written = File::options().write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(b"x"));
    let removed = fs::remove_file(&path);
    written.and(removed)
}
