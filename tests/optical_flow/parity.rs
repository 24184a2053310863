//! The whole chain against the ffmpeg program, OpenCV and NumPy.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::job::members;
use crate::lab::{Lab, footage};
use crate::npy::{Flow, config};

/// One member, its settings, and where OpenCV's frames come from.
struct Case {
    name: &'static str,
    video: &'static str,
    args: Value,
    /// Raw frames of the ffmpeg program in this format; none: OpenCV decodes.
    format: Option<&'static str>,
}

/// The frames at or after each tick, made small by the ffmpeg program.
fn frames(lab: &Lab, case: &Case, (width, height): (usize, usize), fps: f64) -> std::path::PathBuf {
    let tick = |time: &str| format!("floor(({time}+0.00075)*{fps})");
    let select = format!("select='eq(n,0)+gt({},{})'", tick("t"), tick("prev_selected_t"));
    let scale = format!("scale={width}:{height}:flags=area+accurate_rnd+bitexact+full_chroma_int");
    let (path, format) = (footage(case.video), case.format.unwrap());
    let input = format!("-i {} -vf {select},{scale},format={format} -vsync passthrough", path.display());
    lab.make(&format!("{}.raw", case.name), &format!("{input} -f rawvideo"))
}

/// Numbers of the frames at these times.
fn picked(sample: &Value) -> Value {
    let rate = 25.0;
    let times: Vec<f64> = serde_json::from_value(sample["optical_flow_times"].clone()).unwrap();
    json!(times.iter().map(|time| (time * rate).round() as u64).collect::<Vec<_>>())
}

fn describe(lab: &Lab, case: &Case) -> Value {
    let mut args = case.args.clone();
    args["dtype"] = args.get("dtype").cloned().unwrap_or(json!("fp32"));
    let samples = lab.run(&config(json!({}), args.clone()), &[(footage(case.video), "")]);
    let flow = Flow::of(lab, "00000000");
    let size = (flow.shape[2], flow.shape[1]);
    let (_, bytes) =
        members(&lab.output().join("00000.tar")).into_iter().find(|(name, _)| name.ends_with("npy")).unwrap();
    let npy = lab.path(&format!("{}.npy", case.name));
    std::fs::write(&npy, bytes).unwrap();
    let mut job = json!({"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2,
                         "flags": 0, "npy": npy, "width": size.0, "height": size.1});
    let given = args.get("detector_args").and_then(Value::as_object).cloned().unwrap_or_default();
    job.as_object_mut().unwrap().extend(given);
    match case.format {
        Some(format) => {
            job["frames"] = json!(frames(lab, case, size, args["fps"].as_f64().unwrap()));
            job["channels"] = json!(if format == "gray" { 1 } else { 3 });
            job["video"] = Value::Null;
        }
        None => {
            job["video"] = json!(footage(case.video));
            job["picked"] = picked(&samples[0].json);
        }
    }
    job
}

fn answers(jobs: &[Value]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("target/rig/opencv/bin/python"));
    command.arg(root.join("tests/optical_flow/reference.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("run 'bash tests/rig/setup.sh test' first");
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(jobs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_same_vectors_as_opencv() {
    let lab = Lab::new();
    let gaussian = json!({"levels": 1, "winsize": 9, "iterations": 2, "poly_n": 7, "poly_sigma": 1.5, "flags": 256});
    let case = |name, video, args: Value, format| Case { name, video, args, format };
    let cases = [
        case("small", "bikes.mp4", json!({"fps": 2}), Some("gray")),
        case("large", "bikes.mp4", json!({"fps": 4, "resize_size": 96}), Some("gray")),
        case(
            "given",
            "bigbuckbunny.mp4",
            json!({"fps": 3, "resize_size": 48, "detector_args": gaussian}),
            Some("gray"),
        ),
        case("drifting", "carphone_pristine.mp4", json!({"fps": 7, "resize_size": 64}), Some("gray")),
        case("swapped", "bikes.mp4", json!({"fps": 2, "gray": "video2dataset"}), Some("rgb24")),
        case("half", "bikes.mp4", json!({"fps": 2, "dtype": "fp16"}), Some("gray")),
        case("theirs", "bikes.mp4", json!({"fps": 2, "resize_size": 64}), None),
    ];
    let jobs: Vec<Value> = cases.iter().map(|case| describe(&lab, case)).collect();
    for (case, answer) in cases.iter().zip(answers(&jobs)) {
        let name = case.name;
        assert_eq!(answer["shape"], answer["theirs"], "{name}");
        assert_eq!(answer["dtype"], if name == "half" { "float16" } else { "float32" }, "{name}");
        let number = |key: &str| answer[key].as_f64().unwrap();
        assert!(number("magnitude") > 0.1, "{name}: nothing moves, and nothing is compared");
        // Another decoder's colours and another area filter are a grey level apart here and there.
        let (mean, p99) = if case.format.is_none() { (0.1, 1.0) } else { (0.01, 0.1) };
        assert!(number("mean") < mean && number("p99") < p99, "{name}: {answer}");
    }
}
