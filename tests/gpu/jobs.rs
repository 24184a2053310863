//! What a job makes with a GPU is what it makes without. The GPU is a CPU test double.

use serde_json::json;

use crate::fake::{Fake, config};
use crate::job::{Ended, assert_same, clipmill, snapshot};
use crate::lab::{Lab, footage};
use crate::npy::Flow;

/// The largest distance of two numbers, relative to the larger one where that is above a pixel.
pub fn apart(a: &Flow, b: &Flow) -> f32 {
    assert_eq!(a.shape, b.shape);
    let apart = |(a, b): (&f32, &f32)| (a - b).abs() / a.abs().max(b.abs()).max(1.0);
    a.values.iter().zip(&b.values).map(apart).fold(0.0, f32::max)
}

#[test]
fn flow_on_the_test_double_is_the_cpus() {
    let fake = Fake::new("");
    let files = ["bikes.mp4", "carphone_pristine.mp4"].map(footage);
    let variants = [
        json!({"fps": 8, "resize_size": 40, "dtype": "fp32"}),
        json!({"fps": 4, "resize_size": 67, "dtype": "fp32", "detector_args": [0.7, 5, 9, 2, 7, 1.5, 256]}),
        json!({"fps": 25, "resize_size": 16, "dtype": "fp32", "gray": "video2dataset"}),
    ];
    for args in variants {
        fake.run(&config("off", args.clone()), &files).expect(0);
        let cpu = ["00000000", "00000001"].map(|key| Flow::of(&fake.lab, key));
        let fields: Vec<_> = fake.samples().into_iter().map(|sample| sample.json).collect();
        assert_eq!(fake.usage(), json!(null), "what nobody asked for is not counted");
        let ended = fake.run(&config("required", args), &files).expect(0);
        assert!(ended.stderr.contains("GPU: CPU test double 0, no GPU"), "{}", ended.stderr);
        for (n, (cpu, sample)) in cpu.iter().zip(fake.samples()).enumerate() {
            let apart = apart(cpu, &Flow::of(&fake.lab, &sample.key));
            assert!(apart <= 1e-4, "{n}: {apart}");
            assert_eq!(fields[n]["optical_flow_times"], sample.json["optical_flow_times"]);
        }
        assert_eq!(fake.usage()["flow_on_gpu"], 2);
    }
}

/// Batches of a pair, of a few, and of all: the bytes are the same. So are those of a second run.
#[test]
fn no_number_depends_on_the_batch() {
    let fake = Fake::new("");
    let files = [footage("carphone_pristine.mp4")];
    let config = config("required", json!({"fps": 25, "resize_size": 33, "dtype": "fp32"}));
    fake.run(&config, &files).expect(0);
    let all = snapshot(&fake.lab.output());
    fake.run(&config, &files).expect(0);
    assert_same(&all, &snapshot(&fake.lab.output()));
    // A pair of 33 x 40 pixels takes about 100 kB.
    for (memory, least) in [(400_000, 5), (1_100_000, 3)] {
        fake.faults(&format!("memory {memory}"));
        fake.run(&config, &files).expect(0);
        assert_same(&all, &snapshot(&fake.lab.output()));
        let halved = fake.usage()["halved_batches"].as_u64().unwrap();
        assert!(halved >= least, "{halved}");
    }
}

/// Clips overlap, so that several flows are under way at a time on one device.
#[test]
fn clips_that_overlap_on_the_test_double() {
    let fake = Fake::new("");
    let rows = [(footage("bikes.mp4"), "[[0, 4], [2, 6], [3, 3.3]]")];
    let run = |gpu: &str| {
        let mut config = config(gpu, json!({"fps": 5, "dtype": "fp32"}));
        config["job"]["clip_col"] = json!("clips");
        let _ = std::fs::remove_dir_all(fake.lab.output());
        let mut command = fake.lab.command("run", &config, &rows);
        fake.load(&mut command);
        Ended::of(command.output().unwrap()).expect(0);
        [0, 1].map(|n| Flow::of(&fake.lab, &format!("00000000_{n:05}")))
    };
    let (cpu, gpu) = (run("off"), run("required"));
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        assert!(apart(cpu, gpu) <= 1e-4);
    }
    assert_eq!(fake.usage()["flow_on_gpu"], 1, "a sample counts once");
}

/// Small and short ones stay on the CPU, byte for byte; large and long ones go to the GPU.
#[test]
fn auto_decides_by_the_sample_alone() {
    let fake = Fake::new("");
    let files = [footage("carphone_pristine.mp4")];
    let small = json!({"fps": 2, "resize_size": 16});
    fake.run(&config("off", small.clone()), &files).expect(0);
    let cpu = snapshot(&fake.lab.output());
    fake.run(&config("auto", small), &files).expect(0);
    assert_same(&cpu, &snapshot(&fake.lab.output()));
    assert_eq!((&fake.usage()["flow_on_cpu"], &fake.usage()["reasons"]), (&json!(1), &json!({"quicker_on_cpu": 1})));
    fake.run(&config("auto", json!({"fps": 25, "resize_size": 64})), &files).expect(0);
    assert_eq!((&fake.usage()["flow_on_gpu"], &fake.usage()["reasons"]), (&json!(1), &json!({})));
    let told = Ended::of(clipmill().arg("status").arg(fake.lab.output()).output().unwrap()).expect(0).stdout;
    assert!(told.contains("flow     1 rows on a GPU, 0 on the CPU\n"), "{told}");
}

#[test]
fn auto_without_a_gpu_says_so_once_and_counts_it() {
    let fake = Fake::new("devices 0");
    let files = ["carphone_pristine.mp4", "bikes.mp4"].map(footage);
    let ended = fake.run(&config("auto", json!({})), &files).expect(0);
    let said = ended.stderr.matches("NO GPU: all of this rank's optical flow and decoding is done on the CPU").count();
    assert_eq!(said, 1, "{}", ended.stderr);
    assert_eq!(fake.usage()["flow_on_cpu"], 2);
    assert_eq!(fake.usage()["reasons"], json!({"no_device": 2}));
    let told = Ended::of(clipmill().arg("status").arg(fake.lab.output()).output().unwrap()).expect(0).stdout;
    assert!(told.contains("flow     0 rows on a GPU, 2 on the CPU\ncpu      2 rows: no_device\n"), "{told}");
    // Nor does a job that has nothing for a GPU look for one.
    let mut resize = json!({"subsampling": {"FrameSubsampler": {"args": {"frame_rate": 5}}}});
    resize["distribution"] = json!({"processes_count": 1});
    let ended = fake.run(&resize, &files[..1]).expect(0);
    assert!(!ended.stderr.contains("GPU"), "{}", ended.stderr);
    assert_eq!(fake.usage(), json!(null));
}

/// Not even the program's own list of libraries knows of CUDA.
#[test]
fn nothing_of_cuda_is_linked() {
    for program in [env!("CARGO_BIN_EXE_clipmill"), env!("CARGO_BIN_EXE_clipmill-worker")] {
        let output = std::process::Command::new("ldd").arg(program).output().expect("ldd is installed");
        let libraries = String::from_utf8(output.stdout).unwrap().to_lowercase();
        assert!(libraries.contains("libc.so"), "{libraries}");
        assert!(!["libcuda", "libnv"].iter().any(|name| libraries.contains(name)), "{libraries}");
    }
}

/// A config that asks for both, or for a GPU and nothing for it to do.
#[test]
fn settings_that_do_not_fit() {
    let lab = Lab::new();
    let rows = [(footage("carphone_pristine.mp4"), "")];
    let bad = |config, says: &str| {
        let ended = Ended::of(lab.command("run", &config, &rows).output().unwrap()).expect(2);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert!(!lab.output().exists());
    };
    bad(json!({"distribution": {"gpu": "required"}}), "nothing of this job is done on a GPU");
    bad(config("required", json!({"detector": "dis"})), "nothing of this job is done on a GPU");
    bad(config("yes", json!({})), "distribution.gpu");
}
