//! The yt-dlp of this machine.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::cluster::is_launcher_variable;

/// The oldest that is used. Older ones can be made to run commands by a hostile page (CVE-2026-26331).
pub const MIN_VERSION: Version = Version(2026, 2, 21);

/// Starting Python from a cold shared file system takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What yt-dlp gets of the rank's environment: enough to start, wherever it is installed, and no credentials. Proxies are
/// set apart.
const ENVIRONMENT: [&str; 17] = [
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GLIBC_TUNABLES",
];

/// Year, month, day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}.{:02}", self.0, self.1, self.2)
    }
}

/// Why sites cannot be fetched on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteSetupError {
    #[error(
        "the table names pages of sites, and there is no `{0}` on this machine: install it on all nodes \
         (`pip install \"yt-dlp[default]\"`), name it in reading.yt_args.program, or set that to null to have such rows fail"
    )]
    Missing(String),
    #[error(
        "`{program}` says that it is yt-dlp {version}, older than {MIN_VERSION}: update it (`pip install -U yt-dlp`)"
    )]
    Old { program: String, version: Version },
    #[error(
        "`{program} --version` does not work: {what}; install yt-dlp anew, or name another in reading.yt_args.program"
    )]
    Broken { program: String, what: String },
    #[error("the cookies for yt-dlp cannot be read: {0}; see reading.yt_args.cookies")]
    Cookies(String),
    #[error("yt-dlp, or the program that watches over it, cannot be started: {0}")]
    Supervisor(String),
}

/// The variables that yt-dlp gets.
pub(super) fn environment() -> Vec<(OsString, OsString)> {
    let passes = |name: &str| ENVIRONMENT.contains(&name) && !is_launcher_variable(name);
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(passes)).collect()
}

/// Where the program is: a path as it stands, or a name that is looked up in `PATH`.
pub fn find(program: &Path) -> Result<PathBuf, SiteSetupError> {
    let missing = || SiteSetupError::Missing(program.display().to_string());
    if program.components().count() > 1 {
        return std::path::absolute(program).ok().filter(|path| path.is_file()).ok_or_else(missing);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.and_then(|found| std::path::absolute(found).ok()).ok_or_else(missing)
}

/// Asks the program for its version. Blocks, for up to two minutes.
///
/// # Errors
/// It is no yt-dlp, or too old a one.
pub fn check(program: &Path) -> Result<Version, SiteSetupError> {
    let shown = program.display().to_string();
    let broken = |what: String| SiteSetupError::Broken { program: shown.clone(), what };
    let said = ask(program).map_err(broken)?;
    let version = parse(&said).ok_or_else(|| {
        let said: String = said.trim().chars().take(60).collect();
        broken(format!("it says `{}`, which is no version", said.escape_debug()))
    })?;
    if version < MIN_VERSION { Err(SiteSetupError::Old { program: shown, version }) } else { Ok(version) }
}

fn ask(program: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(["--ignore-config", "--version"]).env_clear().envs(environment());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => break None,
        }
    };
    // What it may have started.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let Some(status) = status else {
        let _ = child.wait();
        return Err(format!("it took longer than {} s", PATIENCE.as_secs()));
    };
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(4096).read_to_end(&mut said);
    }
    if status.success() { Ok(String::from_utf8_lossy(&said).into_owned()) } else { Err(status.to_string()) }
}

/// `2026.10.26`, with anything behind a further point (nightly builds have the time there).
fn parse(text: &str) -> Option<Version> {
    let text = text.trim();
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    let version = Version(parts.next()??, parts.next()??, parts.next()??);
    let sane = (2000..10_000).contains(&version.0) && (1..=12).contains(&version.1) && (1..=31).contains(&version.2);
    (sane && text.len() < 40 && !text.contains('\n')).then_some(version)
}

/// Days since the version came out, about; none for one of the future.
pub fn age_in_days(version: Version, now: std::time::SystemTime) -> Option<u64> {
    let days = days_from_civil(version)?;
    let today = now.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs() / 86_400;
    today.checked_sub(days)
}

/// Days from 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013).
fn days_from_civil(Version(year, month, day): Version) -> Option<u64> {
    let (year, month, day) = (u64::from(year), u64::from(month), u64::from(day));
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_dates() {
        assert_eq!(parse("2026.10.26\n"), Some(Version(2026, 10, 26)));
        assert_eq!(parse("2026.10.26.232700"), Some(Version(2026, 10, 26)));
        for text in ["", "yt-dlp", "2026.10", "1.2.3", "2026.13.1", "2026.1.1\nmore"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert!(Version(2026, 2, 4) < MIN_VERSION && Version(2026, 3, 3) > MIN_VERSION);
    }

    #[test]
    fn ages_are_counted_in_days() {
        assert_eq!(days_from_civil(Version(1970, 1, 1)), Some(0));
        assert_eq!(days_from_civil(Version(2000, 3, 1)), Some(11_017));
        let now = std::time::UNIX_EPOCH + Duration::from_secs(11_027 * 86_400);
        assert_eq!(age_in_days(Version(2000, 3, 1), now), Some(10));
        assert_eq!(age_in_days(Version(2001, 3, 1), now), None);
    }

    #[test]
    fn what_is_not_there_or_not_right_is_named() {
        assert_eq!(find(Path::new("no-such-yt-dlp")), Err(SiteSetupError::Missing("no-such-yt-dlp".into())));
        assert!(find(Path::new("/no/such")).is_err());
        let check = |program: &str| check(Path::new(program));
        assert!(matches!(check("/bin/false"), Err(SiteSetupError::Broken { .. })));
        assert!(matches!(check("/bin/echo"), Err(SiteSetupError::Broken { what, .. }) if what.contains("no version")));
    }
}
