//! Decoding on the GPU. The GPU is a CPU test double: its decoder draws waves that move, whatever it is given.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::fake::{Fake, config};
use crate::lab::H264;
use crate::npy::Flow;

/// 64 frames of 160 x 96 at 25 a second, without reordered ones.
fn video(fake: &Fake, name: &str, encoding: &str) -> PathBuf {
    let pictures = "-f lavfi -i testsrc2=s=160x96:r=25 -frames:v 64";
    fake.lab.make(name, &format!("{pictures} {encoding}"))
}

/// `gpu` and `decode` of a job that computes flow at 12.5 a second, 48 lines high.
fn job(gpu: &str, decode: &str) -> Value {
    let mut config = config(gpu, json!({"fps": 12.5, "resize_size": 48, "dtype": "fp32"}));
    config["decode"] = json!(decode);
    config
}

fn run(fake: &Fake, config: &Value, files: &[PathBuf]) -> Vec<Flow> {
    let mut config = config.clone();
    let decode = config.as_object_mut().unwrap().remove("decode").unwrap();
    let rows: Vec<(PathBuf, &str)> = files.iter().map(|path| (path.clone(), "")).collect();
    let _ = std::fs::remove_dir_all(fake.lab.output());
    let mut command = fake.lab.command("run", &config, &rows);
    fake.load(command.args(["-o", &format!("reading.decode={}", decode.as_str().unwrap())]));
    crate::job::Ended::of(command.output().unwrap()).expect(0);
    (0..files.len()).map(|n| Flow::of(&fake.lab, &format!("{n:08}"))).collect()
}

/// Every second picture is taken: the waves have moved by 6 pixels of 96 lines.
#[track_caller]
fn is_of_waves(flow: &Flow) {
    let (dx, dy) = flow.mean();
    let want = -6.0 * flow.shape[1] as f64 / 96.0;
    assert!((dx - want).abs() < 0.3 && dy.abs() < 0.2, "{dx} {dy}, not {want}");
}

#[test]
fn pictures_of_the_gpu_are_read_in_place() {
    let fake = Fake::with_decoder("");
    let files = [video(&fake, "a.mp4", H264)];
    let flow = &run(&fake, &job("required", "nvdec"), &files)[0];
    assert_eq!(flow.shape, [31, 48, 80, 2]);
    is_of_waves(flow);
    let usage = fake.usage();
    assert_eq!(
        (&usage["decoded_on_gpu"], &usage["flow_on_gpu"], &usage["reasons"]),
        (&json!(1), &json!(1), &json!({}))
    );
}

/// Whoever needs them in the host's memory gets them there: other subsamplers, an encoder, flow on the CPU.
#[test]
fn pictures_of_the_gpu_are_downloaded_for_others() {
    let fake = Fake::with_decoder("");
    let files = [video(&fake, "a.mp4", H264)];
    let mut cuts = job("required", "nvdec");
    cuts["subsampling"]["CutDetectionSubsampler"] = json!({"args": {}});
    let mut encoded = job("required", "nvdec");
    encoded["job"]["encode_formats"]["video"] = json!("mp4");
    encoded["subsampling"]["FrameSubsampler"] = json!({"args": {"frame_rate": 5}});
    let mut small = job("auto", "nvdec");
    small["subsampling"]["OpticalFlowSubsampler"]["args"]["resize_size"] = json!(24);
    small["subsampling"]["OpticalFlowSubsampler"]["args"]["detector_args"] = json!([0.5, 0, 5, 1, 5, 1.2, 0]);
    for (config, on_gpu) in [(cuts, 1), (encoded, 1), (small, 0)] {
        is_of_waves(&run(&fake, &config, &files)[0]);
        let usage = fake.usage();
        assert_eq!((&usage["decoded_on_gpu"], &usage["flow_on_gpu"]), (&json!(1), &json!(on_gpu)), "{config}");
    }
}

#[test]
fn turned_pictures_are_turned_on_the_device() {
    let fake = Fake::with_decoder("");
    video(&fake, "a.mp4", H264);
    let turned = fake.lab.make("turned.mp4", "-i a.mp4 -c copy -metadata:s:v rotate=90");
    let flow = &run(&fake, &job("required", "nvdec"), &[turned])[0];
    assert_eq!(flow.shape, [31, 80, 48, 2]);
    let (dx, dy) = flow.mean();
    assert!(dx.abs() < 0.2 && (dy.abs() - 3.0).abs() < 0.3, "{dx} {dy}");
}

/// What the GPU refuses, lacks or fails at goes the CPU's way, file by file, to the bit; and it is said why.
#[test]
fn files_that_nvdec_cannot_read_are_decoded_on_the_cpu() {
    let fake = Fake::with_decoder("");
    let files = [video(&fake, "a.mp4", H264), video(&fake, "b.avi", "-c:v ffv1 -pix_fmt yuv420p")];
    let software = run(&fake, &job("required", "software"), &files);
    assert_eq!(fake.usage()["decoded_on_cpu"], 0, "nothing else was wanted");
    for (faults, reasons) in [
        ("nvdec_refuses 1", json!({"nvdec_refuses_h264": 1, "nvdec_lacks_ffv1": 1})),
        ("nvdec_fails_at 20", json!({"nvdec_failed": 1, "nvdec_lacks_ffv1": 1})),
    ] {
        fake.faults(faults);
        let flows = run(&fake, &job("required", "nvdec"), &files);
        assert!(flows == software, "{faults}");
        let usage = fake.usage();
        assert_eq!((&usage["decoded_on_gpu"], &usage["decoded_on_cpu"]), (&json!(0), &json!(2)), "{faults}");
        assert_eq!(usage["reasons"], reasons, "{faults}");
    }
    fake.faults("");
    std::fs::remove_file(fake.lab.path("driver/libnvcuvid.so.1")).unwrap();
    assert!(run(&fake, &job("required", "nvdec"), &files) == software);
    assert_eq!(fake.usage()["reasons"], json!({"nvdec_unavailable": 2}));
}
