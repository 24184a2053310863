//! A real nginx on loopback with files of known content.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running web server; stopped on drop.
pub struct Site {
    pub folder: TempDir,
    pub port: u16,
    nginx: Child,
}

impl Site {
    /// Serves `media/N.mp4` for N below `files`, each of about `bytes` bytes, all different.
    ///
    /// `/slow/` serves the same files at 200 kB/s, `/gone/` answers 503 while the file `gone` stands in the folder,
    /// `/page.mp4` is an HTML page, everything else is 404.
    pub fn start(files: usize, bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let media = folder.path().join("media");
        fs::create_dir(&media).unwrap();
        for n in 0..files {
            fs::write(media.join(format!("{n}.mp4")), media_bytes(n as u64, bytes + 7 * n)).unwrap();
        }
        fs::write(folder.path().join("page.mp4"), "<!DOCTYPE html><html><body>log in first</body></html>").unwrap();
        open_to_workers(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let conf = folder.path().join("nginx.conf");
        fs::write(&conf, configuration(folder.path(), port)).unwrap();
        let nginx = Command::new("nginx")
            .args(["-p", folder.path().to_str().unwrap(), "-c", conf.to_str().unwrap(), "-g", "daemon off;"])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed by `make test`'s set-up (tests/rig/setup.sh)");
        let mut site = Self { folder, port, nginx };
        site.wait();
        site
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Makes `/gone/` answer 503, or serve again.
    pub fn set_gone(&self, gone: bool) {
        let flag = self.folder.path().join("gone");
        if gone { fs::write(flag, "").unwrap() } else { fs::remove_file(flag).unwrap() }
    }

    /// The pid file is written once the port is ours: another test's server may have taken it meanwhile, and would answer.
    fn wait(&mut self) {
        let begun = Instant::now();
        let pid = self.folder.path().join("nginx.pid");
        while !pid.exists() || TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(self.nginx.try_wait().unwrap().is_none(), "nginx ended: port {} is taken", self.port);
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // nginx's master passes TERM on to its workers; KILL would leave them behind.
        let _ = Command::new("kill").arg(self.nginx.id().to_string()).status();
        let _ = self.nginx.wait();
    }
}

/// Bytes that begin as an mp4 does and are noise behind: what the sniffer sees and a decoder never does.
pub fn media_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".to_vec();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.write_all(&state.to_le_bytes()).unwrap();
    }
    bytes.truncate(len);
    bytes
}

/// nginx's workers are another user where the test runs as root.
fn open_to_workers(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn configuration(folder: &Path, port: u16) -> String {
    let at = |name: &str| -> PathBuf { folder.join(name) };
    format!(
        "worker_processes 1;\npid {pid};\nerror_log {error};\nevents {{ worker_connections 512; }}\n\
         http {{\n access_log {access};\n client_body_temp_path {tmp}; proxy_temp_path {tmp};\n \
         fastcgi_temp_path {tmp}; uwsgi_temp_path {tmp}; scgi_temp_path {tmp};\n keepalive_requests 100000;\n \
         types {{ video/mp4 mp4; }}\n\
         server {{ listen 127.0.0.1:{port}; root {root};\n\
         location /slow/ {{ alias {media}/; limit_rate 200k; }}\n\
         location /gone/ {{ if (-f {gone}) {{ return 503; }} alias {media}/; }}\n\
         location = /page.mp4 {{ default_type text/html; types {{ }} }}\n }}\n}}\n",
        pid = at("nginx.pid").display(),
        error = at("error.log").display(),
        access = at("access.log").display(),
        tmp = at("tmp").display(),
        root = folder.display(),
        media = at("media").display(),
        gone = at("gone").display(),
    )
}
