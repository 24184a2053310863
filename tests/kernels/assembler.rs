//! What NVIDIA's assembler says of the PTX; `setup.sh test` installs it. It has no GPU and needs none.

use std::collections::BTreeMap;
use std::process::Command;

use super::host::repository;
use super::manual;
use super::ptx::modules;

const ARCHITECTURES: [u32; 3] = [70, 80, 90];

/// What one kernel takes, on one architecture.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Resources {
    registers: u32,
    /// Bytes: fixed shared memory; stack and spilled registers.
    shared: u32,
    local: u32,
}

/// The number before `words`.
fn number(line: &str, words: &str) -> Option<u32> {
    line[..line.find(words)?].split([' ', ',']).next_back()?.parse().ok()
}

/// By kernel and architecture.
fn report() -> BTreeMap<(String, u32), Resources> {
    let ptxas = repository().join("target/rig/ptxas/ptxas");
    assert!(ptxas.exists(), "no ptxas: run make setup");
    let mut all = BTreeMap::new();
    for architecture in ARCHITECTURES {
        for module in modules() {
            let file = repository().join(format!("kernels/ptx/{module}.ptx"));
            let (name, none) = (format!("-arch=sm_{architecture}"), "/dev/null");
            let done = Command::new(&ptxas).args(["-v", &name, "-o", none]).arg(&file).output().unwrap();
            let text = String::from_utf8(done.stderr).unwrap();
            assert!(done.status.success(), "{module}, sm_{architecture}: {text}");
            for part in text.split("Compiling entry function '").skip(1) {
                let kernel = part.split('\'').next().unwrap();
                let of = |words| part.lines().find_map(|line| number(line, words));
                let local = [" bytes stack frame", " bytes spill stores", " bytes spill loads"];
                let resources = Resources {
                    registers: of(" registers").unwrap_or_else(|| panic!("{kernel}: {part}")),
                    shared: of(" bytes smem").unwrap_or(0),
                    local: local.map(|words| of(words).unwrap_or_else(|| panic!("{kernel}: {part}"))).iter().sum(),
                };
                assert!(all.insert((kernel.to_owned(), architecture), resources).is_none(), "{kernel} twice");
            }
        }
    }
    all
}

/// Threads of a block, and shared bytes that the launch adds, for the default window.
fn launched(kernel: &str) -> (u32, u32) {
    match kernel {
        "pyramid_level" => (128, 4 * 260),
        "box_solve" => (128, 40 * (128 + 14)),
        "gauss_solve" => (128, 20 * (128 + 14)),
        "gauss_columns" => (256, 128 * (32 + 14)),
        "box_columns" | "flow_motion_sum" => (128, 0),
        name if name.starts_with("resize") => (128, 0),
        _ => (256, 0),
    }
}

/// Threads that a multiprocessor holds at once, of the 2048 that it can. Registers are given out by 256 to a warp, of
/// 65536; shared memory by 128 or 256 bytes to a block, and 1024 for the system on sm_80 and later.
fn threads(resources: Resources, architecture: u32, kernel: &str) -> u32 {
    let (block, dynamic) = launched(kernel);
    let (room, unit, system) = match architecture {
        70 => (96 * 1024, 256, 0),
        80 => (164 * 1024, 128, 1024),
        _ => (228 * 1024, 128, 1024),
    };
    let warps = block / 32;
    let by_registers = 65536 / (resources.registers * 32).next_multiple_of(256) / warps;
    let shared = (resources.shared + dynamic).next_multiple_of(unit) + system;
    let by_shared = u32::checked_div(room, shared).unwrap_or(32);
    block * by_registers.min(by_shared).min(32).min(2048 / block)
}

fn table(report: &BTreeMap<(String, u32), Resources>) -> String {
    let mut text = String::from(
        "| kernel | block | registers (sm_70, 80, 90) | shared bytes, fixed + given | stack and spills | threads at once of 2048 (sm_70, 80, 90) |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (kernel, _) in report.keys().filter(|(_, architecture)| *architecture == ARCHITECTURES[0]) {
        let all = ARCHITECTURES.map(|architecture| (report[&(kernel.clone(), architecture)], architecture));
        let list = |of: &dyn Fn((Resources, u32)) -> u32| all.map(|each| of(each).to_string()).join(", ");
        let (block, dynamic) = launched(kernel);
        let shared = all[0].0.shared;
        let local = all.iter().map(|(resources, _)| resources.local).max().unwrap_or(0);
        let (registers, at_once) =
            (list(&|(resources, _)| resources.registers), list(&|(resources, sm)| threads(resources, sm, kernel)));
        text += &format!("| `{kernel}` | {block} | {registers} | {shared} + {dynamic} | {local} | {at_once} |\n");
    }
    text
}

#[test]
fn every_architecture_takes_every_kernel_without_spills() {
    let report = report();
    assert_eq!(report.len(), 20 * ARCHITECTURES.len(), "kernels");
    for ((kernel, architecture), resources) in &report {
        assert_eq!(resources.local, 0, "{kernel} on sm_{architecture} uses local memory: {resources:?}");
        let at_once = threads(*resources, *architecture, kernel);
        assert!(at_once >= 1024, "{kernel} on sm_{architecture}: only {at_once} threads at once");
    }
}

#[test]
fn the_manual_has_the_assemblers_figures() {
    manual::holds("resources", &table(&report()));
}
