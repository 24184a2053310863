//! The PTX that is checked in is what its source says.

use std::path::PathBuf;
use std::process::Command;

use sha2::{Digest, Sha256};

use super::host::repository;

fn ptx(name: &str) -> String {
    std::fs::read_to_string(repository().join(format!("kernels/ptx/{name}.ptx"))).unwrap()
}

/// Names of the kernel files, sorted.
pub fn modules() -> Vec<String> {
    let with = |folder: &str, kind: &str| -> Vec<String> {
        let files = std::fs::read_dir(repository().join(folder)).unwrap();
        let files = files.map(|file| file.unwrap().path()).filter(|file| file.extension().is_some_and(|is| is == kind));
        let mut names: Vec<String> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().into()).collect();
        names.sort();
        names
    };
    let modules = with("kernels", "cu");
    assert_eq!(modules, with("kernels/ptx", "ptx"), "run make ptx, and remove what has no source");
    modules
}

/// What a line of the file's head says behind `name`.
fn told<'a>(ptx: &'a str, name: &str) -> &'a str {
    let line = ptx.lines().take(3).find_map(|line| line.strip_prefix("// ")?.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in the first lines"))
}

#[test]
fn the_ptx_is_of_these_sources() {
    for module in modules() {
        let mut hash = Sha256::new();
        for file in ["ptx.sh", "device.h", &format!("{module}.cu")] {
            hash.update(std::fs::read(repository().join("kernels").join(file)).unwrap());
        }
        let want: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let ptx = ptx(&module);
        let got = told(&ptx, "sources: ").split(' ').next().unwrap();
        assert_eq!(got, want, "{module}.cu, device.h or ptx.sh changed: run make ptx");
    }
}

/// Another compiler makes other PTX of the same meaning, which says nothing; that the sources compile without a warning is
/// shown by any clang.
#[test]
fn the_same_compiler_makes_the_same_ptx() {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(repository().join("kernels/ptx.sh")).arg(folder.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for module in modules() {
        let made: PathBuf = folder.path().join(format!("{module}.ptx"));
        let (made, kept) = (std::fs::read_to_string(made).unwrap(), ptx(&module));
        if told(&made, "compiler: ") == told(&kept, "compiler: ") {
            assert!(made == kept, "{module}.ptx is not what its source makes: run make ptx");
        }
    }
}

#[test]
fn old_drivers_and_gpus_take_the_ptx_and_its_numbers_are_the_cpus() {
    for module in modules() {
        let ptx = ptx(&module);
        assert!(ptx.contains("\n.version 6.0\n.target sm_70\n"), "{module}");
        // Fused and approximate arithmetic rounds otherwise than the CPU; so does what takes denormals for 0.
        for word in ["fma.", "mad.f", ".approx", ".ftz", ".full.f32"] {
            assert!(!ptx.contains(word), "{module}: {word}");
        }
    }
}

/// The program embeds all of them.
#[test]
fn the_program_knows_each_module() {
    let source = std::fs::read_to_string(repository().join("src/gpu/ptx.rs")).unwrap();
    for module in modules() {
        let line = format!("(\"{module}\", include_str!(\"../../kernels/ptx/{module}.ptx\"))");
        assert!(source.contains(&line), "src/gpu/ptx.rs lacks {line}");
    }
}
