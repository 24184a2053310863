//! What goes wrong with a GPU, injected into a CPU test double of the driver.

use serde_json::json;

use crate::fake::{Fake, config};
use crate::job::snapshot;
use crate::lab::footage;
use crate::npy::Flow;

fn args() -> serde_json::Value {
    json!({"fps": 8, "resize_size": 24, "dtype": "fp32"})
}

/// Each with the word that says what is missing; nothing is written.
#[test]
fn required_without_a_usable_gpu_ends_before_any_work() {
    for (faults, says) in [
        ("devices 0", "the NVIDIA driver sees no device"),
        ("ptx 222", "the NVIDIA driver is too old for this program's kernels (CUDA_ERROR_UNSUPPORTED_PTX_VERSION)"),
        ("ptx 218", "the NVIDIA driver is too old for this program's kernels (CUDA_ERROR_INVALID_PTX)"),
        ("ptx 803", "the GPU cannot be used: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        ("memory 16", "has no memory left"),
    ] {
        let fake = Fake::new(faults);
        let ended = fake.run(&config("required", args()), &[footage("carphone_pristine.mp4")]);
        if faults.starts_with("memory") {
            // There is a GPU: it is the sample that does not fit.
            ended.expect(0);
            let samples = fake.samples();
            assert_eq!(samples[0].json["error_class"], "gpu_memory", "{}", samples[0].json);
            assert!(samples[0].json["error_message"].as_str().unwrap().contains(says));
            continue;
        }
        let ended = ended.expect(1);
        assert!(ended.stderr.contains("distribution.gpu is `required`"), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert!(
            !fake.lab.output().join("00000.tar").exists() && !fake.lab.output().join("_clipmill/plan.json").exists()
        );
    }
}

#[test]
fn required_without_a_driver_says_that_there_is_none() {
    let fake = Fake::new("");
    std::fs::remove_file(fake.lab.path("driver/libcuda.so.1")).unwrap();
    let mut command = fake.lab.command("run", &config("required", args()), &[(footage("bikes.mp4"), "")]);
    fake.load(&mut command);
    let ended = crate::job::Ended::of(command.output().unwrap());
    if ended.code == Some(0) {
        // A machine with a driver of its own.
        assert!(ended.stderr.contains("GPU: "), "{}", ended.stderr);
        return;
    }
    let ended = ended.expect(1);
    assert!(ended.stderr.contains("NVIDIA driver"), "{}", ended.stderr);
}

/// The n-th allocation fails, for every n of a flow: batches are halved, and the numbers stay.
#[test]
fn memory_that_is_short_halves_the_batch() {
    let fake = Fake::new("");
    let files = [footage("carphone_pristine.mp4")];
    fake.run(&config("required", args()), &files).expect(0);
    let whole = snapshot(&fake.lab.output())["00000.tar"].clone();
    for n in [1, 2, 5, 9, 12] {
        fake.faults(&format!("oom_at {n}"));
        fake.run(&config("required", args()), &files).expect(0);
        assert_eq!(fake.usage()["halved_batches"], 1, "at {n}");
        assert!(snapshot(&fake.lab.output())["00000.tar"] == whole, "at {n}");
    }
}

/// Where it may, a sample that does not fit is computed on the CPU.
#[test]
fn memory_for_no_pair_is_the_cpus_turn() {
    let fake = Fake::new("");
    let (files, args) = ([footage("carphone_pristine.mp4")], json!({"fps": 25, "resize_size": 64}));
    fake.run(&config("off", args.clone()), &files).expect(0);
    let cpu = snapshot(&fake.lab.output())["00000.tar"].clone();
    fake.faults("memory 100000");
    fake.run(&config("auto", args), &files).expect(0);
    assert!(snapshot(&fake.lab.output())["00000.tar"] == cpu);
    assert_eq!((&fake.usage()["flow_on_cpu"], &fake.usage()["reasons"]), (&json!(1), &json!({"gpu_memory": 1})));
}

/// A device that is lost takes the worker along; the sample is tried once more, and fails then. Others are as they were.
#[test]
fn a_lost_gpu_costs_its_sample_after_a_second_try() {
    let fake = Fake::new("");
    let files = ["carphone_pristine.mp4", "bikes.mp4", "carphone_pristine.mp4"].map(footage);
    fake.run(&config("required", args()), &files).expect(0);
    let flows = ["00000000", "00000002"].map(|key| Flow::of(&fake.lab, key));
    // The width of bikes.mp4 at 24 lines.
    fake.faults("lose_width 56");
    let ended = fake.run(&config("required", args()), &files).expect(0);
    let samples = fake.samples();
    let lost = &samples[1].json;
    assert_eq!((&lost["status"], &lost["error_class"]), (&json!("failed_to_subsample"), &json!("gpu_lost")), "{lost}");
    assert_eq!(lost["error_message"], "optical flow: the GPU was lost (CUDA_ERROR_ILLEGAL_ADDRESS)");
    assert!(flows == ["00000000", "00000002"].map(|key| Flow::of(&fake.lab, key)));
    assert_eq!((&fake.usage()["gpus_lost"], &fake.usage()["flow_on_gpu"]), (&json!(2), &json!(2)), "{}", ended.stderr);
}

/// The second try is on another device, where there is one.
#[test]
fn the_second_try_is_elsewhere() {
    let fake = Fake::new("");
    let files = ["carphone_pristine.mp4", "bikes.mp4"].map(footage);
    fake.run(&config("required", args()), &files).expect(0);
    let whole = snapshot(&fake.lab.output())["00000.tar"].clone();
    fake.faults("devices 2\nlose_device 0\nlose_at 3");
    fake.run(&config("required", args()), &files).expect(0);
    assert!(snapshot(&fake.lab.output())["00000.tar"] == whole);
    assert_eq!((&fake.usage()["gpus_lost"], &fake.usage()["flow_on_gpu"]), (&json!(1), &json!(2)));
}
