//! Whole jobs, over tables and tars.

use std::path::Path;

use serde_json::{Value, json};

use crate::job::{Ended, assert_same, clipmill, members, snapshot, verify};
use crate::lab::{Lab, footage};
use crate::npy::{Flow, clouds, config};

#[test]
fn a_table_becomes_videos_and_their_flows() {
    let lab = Lab::new();
    let rows = [(footage("bikes.mp4"), ""), (footage("carphone_pristine.mp4"), "")];
    let config = config(json!({"video": "mp4"}), json!({"dtype": "fp32"}));
    let plan = Ended::of(lab.command("plan", &config, &rows).output().unwrap()).expect(0);
    assert!(plan.stdout.contains("passes: 1 decode, media kept as it is, optical flow per video\n"), "{}", plan.stdout);
    let samples = lab.run(&config, &rows);
    assert_eq!(samples[0].media, ["mp4", "npy"]);
    for (sample, shape) in samples.iter().zip([[19, 16, 38, 2], [7, 16, 20, 2]]) {
        let flow = Flow::of(&lab, &sample.key);
        assert_eq!(flow.shape, shape, "{}", sample.json);
        let field = |name: &str| &sample.json[name];
        let told: Vec<f64> = serde_json::from_value(field("mean_optical_flow_magnitude_per_frame").clone()).unwrap();
        let made = flow.magnitudes();
        assert_eq!(told.len(), made.len());
        assert!(told.iter().zip(&made).all(|(told, made)| (told - made).abs() < 2e-6), "{told:?} {made:?}");
        let mean = made.iter().sum::<f64>() / made.len() as f64;
        assert!((field("mean_optical_flow_magnitude").as_f64().unwrap() - mean).abs() < 2e-6);
        assert_eq!(field("optical_flow_times").as_array().unwrap().len(), shape[0] + 1);
        let settings = ["optical_flow_fps", "optical_flow_downsample_size", "optical_flow_dtype"].map(field);
        assert_eq!(settings, [&json!(2.0), &json!(16), &json!("fp32")]);
        let of_all = |name: &str| field("optical_flow_magnitude_percentiles")[name].as_f64().unwrap();
        let max = field("max_optical_flow_magnitude").as_f64().unwrap();
        assert!(0.0 < of_all("p50") && of_all("p50") < of_all("p95") && of_all("p99") <= max, "{}", sample.json);
    }
    // 25 a second: no frame lies on every half second.
    let times = |n: usize| samples[0].json["optical_flow_times"][n].as_f64().unwrap();
    assert_eq!([times(0), times(1), times(2), times(19)], [0.0, 0.52, 1.0, 9.52]);
    verify(&lab.output());
}

#[test]
fn dense_inverse_search_has_flows_of_its_own() {
    let lab = Lab::new();
    let rows = [(footage("bikes.mp4"), "")];
    let flow = |args: Value| {
        let samples = lab.run(&config(json!({}), args), &rows);
        assert_eq!(samples[0].json["status"], "success", "{}", samples[0].json);
        Flow::of(&lab, &samples[0].key)
    };
    let farneback = flow(json!({"dtype": "fp32", "resize_size": 64}));
    let dis = |preset: &str| {
        flow(json!({"dtype": "fp32", "resize_size": 64, "detector": "dis", "detector_args": {"preset": preset}}))
    };
    let (ultrafast, medium) = (dis("ultrafast"), dis("medium"));
    assert_eq!([&ultrafast.shape, &medium.shape], [&farneback.shape; 2]);
    let means = [&farneback, &ultrafast, &medium].map(|flow| {
        let of_each = flow.magnitudes();
        of_each.iter().sum::<f64>() / of_each.len() as f64
    });
    // One video, seen by three methods.
    assert!(means.iter().all(|mean| (means[2] / 3.0..means[2] * 3.0).contains(mean)), "{means:?}");
    assert!(means[0] != means[2] && means[1] != means[2], "{means:?}");
}

/// The shipped config over the tars of an earlier job.
#[test]
fn tars_keep_their_keys_and_lose_their_videos() {
    let lab = Lab::new();
    std::fs::write(lab.path("page.mp4"), "<html>").unwrap();
    let short = lab.make("one.mp4", "-f lavfi -i testsrc2=s=64x48:r=25 -frames:v 1 -pix_fmt yuv420p");
    let table: String = [footage("bikes.mp4"), lab.path("page.mp4"), short, footage("carphone_pristine.mp4")]
        .iter()
        .map(|path| format!("{},some words\n", path.display()))
        .collect();
    std::fs::write(lab.path("table.csv"), format!("url,caption\n{table}")).unwrap();
    let run = |config: &str, input: &Path, output: &str, more: &[&str]| {
        let (input, output) = (format!("url_list={}", input.display()), lab.path(output));
        let output = format!("output_folder={}", output.display());
        let options = ["-o", &input, "-o", &output, "-o", "distribution.mpi=off"];
        Ended::of(clipmill().args(["run", config]).args(options).args(more).output().unwrap()).expect(0);
    };
    run(
        "download",
        &lab.path("table.csv"),
        "first",
        &["-o", "reading.allow_local_paths=true", "-o", "caption_col=caption"],
    );
    run("optical_flow", &lab.path("first"), "out", &[]);
    verify(&lab.output());
    let before = members(&lab.path("first/00000.tar"));
    let after = members(&lab.output().join("00000.tar"));
    let keys = |members: &[(String, Vec<u8>)]| {
        let mut keys: Vec<String> =
            members.iter().map(|(name, _)| name.split_once('.').unwrap().0.to_owned()).collect();
        keys.dedup();
        keys
    };
    assert_eq!(keys(&before), keys(&after));
    let names: Vec<&str> = after.iter().map(|(name, _)| name.split_once('.').unwrap().1).collect();
    let whole = ["json", "npy", "txt"];
    let failed = ["json", "txt"];
    assert_eq!(names, [&whole[..], &failed, &failed, &whole].concat());
    let json = |key: &str| -> Value {
        let (_, bytes) = after.iter().find(|(name, _)| *name == format!("{key}.json")).unwrap();
        serde_json::from_slice(bytes).unwrap()
    };
    assert_eq!(json("00000001")["error_class"], "not_media");
    assert_eq!(
        (&json("00000002")["status"], &json("00000002")["error_class"]),
        (&json!("failed_to_subsample"), &json!("too_short"))
    );
    assert_eq!(
        (&json("00000003")["caption"], &json("00000003")["optical_flow_dtype"]),
        (&json!("some words"), &json!("fp16"))
    );
    assert_eq!(Flow::of(&lab, "00000003").shape, [7, 16, 20, 2]);
}

/// Sound that is a member of its own goes with the video.
#[test]
fn sound_beside_the_video_stays_where_the_video_stays() {
    let lab = Lab::new();
    let first = json!({"job": {"encode_formats": {"video": "mp4", "audio": "m4a"}}});
    lab.run(&first, &[(footage("bigbuckbunny.mp4"), "")]);
    std::fs::rename(lab.output(), lab.path("first")).unwrap();
    for (formats, want) in [(json!({}), &["npy"][..]), (json!({"video": "mp4"}), &["m4a", "mp4", "npy"])] {
        std::fs::write(lab.path("job.yaml"), config(formats, json!({})).to_string()).unwrap();
        let _ = std::fs::remove_dir_all(lab.output());
        let options = [("url_list", lab.path("first/00000.tar")), ("output_folder", lab.output())];
        let options = options.map(|(key, path)| ["-o".to_owned(), format!("{key}={}", path.display())]);
        Ended::of(clipmill().arg("run").arg(lab.path("job.yaml")).args(options.concat()).output().unwrap()).expect(0);
        assert_eq!(lab.samples()[0].media, want);
        assert_eq!(Flow::of(&lab, "00000000").shape, [10, 16, 28, 2]);
    }
}

#[test]
fn statistics_alone_are_those_of_the_stored_flow() {
    let lab = Lab::new();
    let rows = [(clouds(&lab, "a.mp4", 3.0, ""), "")];
    let stored = lab.run(&config(json!({}), json!({"fps": 5, "dtype": "fp32"})), &rows);
    let flow = Flow::of(&lab, "00000000");
    let told = lab.run(&config(json!({}), json!({"fps": 5, "dtype": "fp32", "store": "none"})), &rows);
    assert_eq!((stored[0].media.len(), told[0].media.len()), (1, 0));
    assert_eq!(stored[0].json, told[0].json);
    // A fifth of the width a second, in five steps; 16 of 96 lines are left, 27 of 160 columns.
    let (dx, dy) = flow.mean();
    let want = -0.2 * 27.0 / 5.0;
    assert!((dx - want).abs() < 0.25 && dy.abs() < 0.1, "{dx} {dy}, not {want}");
}

#[test]
fn pictures_stand_upright_and_grow_where_they_are_small() {
    let lab = Lab::new();
    let upright = clouds(&lab, "a.mp4", 2.0, "");
    let turned = lab.make("turned.mp4", "-i a.mp4 -c copy -metadata:s:v rotate=90");
    let tiny = lab.make("tiny.mp4", "-f lavfi -i testsrc2=s=16x8:r=25:d=1 -pix_fmt yuv420p");
    let rows = [(upright, ""), (turned, ""), (tiny, "")];
    let samples = lab.run(&config(json!({}), json!({"fps": 5, "resize_size": 24})), &rows);
    let flows = [0, 1, 2].map(|n: usize| Flow::of(&lab, &samples[n].key));
    assert_eq!(flows[0].shape[1..], [24, 40, 2]);
    assert_eq!(flows[1].shape[1..], [40, 24, 2]);
    assert_eq!(flows[2].shape, [4, 24, 48, 2]);
    // Turned clockwise or not: what moved to the left moves up or down.
    let ((dx, _), (across, down)) = (flows[0].mean(), flows[1].mean());
    assert!(dx < -0.5 && across.abs() < 0.1 && (down.abs() - dx.abs()).abs() < 0.05, "{dx} {across} {down}");
}

#[test]
fn slow_videos_and_variable_rates() {
    let lab = Lab::new();
    let slow = lab.make("slow.mp4", "-f lavfi -i testsrc2=s=64x48:r=1:d=5 -pix_fmt yuv420p");
    // Five frames at 10 a second, then one every 1.5 s; milliseconds.
    let vary =
        "-f lavfi -i testsrc2=s=64x48:r=10:d=1 -vf setpts='round(if(lt(N,5),N*0.1,0.4+(N-4)*1.5)/TB)' -vsync vfr";
    let vary = lab.make("vary.mkv", &format!("{vary} -pix_fmt yuv420p"));
    let samples = lab.run(&config(json!({}), json!({"fps": 2})), &[(slow, ""), (vary, "")]);
    let times = |n: usize| samples[n].json["optical_flow_times"].clone();
    assert_eq!(times(0), json!([0.0, 1.0, 2.0, 3.0, 4.0]));
    assert_eq!(times(1), json!([0.0, 1.9, 3.4, 4.9, 6.4, 7.9]));
}

/// Other subsamplers see the same decode; what they make of the video leaves the flow as it was.
#[test]
fn together_with_others() {
    let lab = Lab::new();
    let rows = [(footage("bikes.mp4"), "")];
    lab.run(&config(json!({}), json!({})), &rows);
    let alone = Flow::of(&lab, "00000000");
    let mut all = config(json!({"video": "mp4"}), json!({}));
    for (name, args) in [
        ("FrameSubsampler", json!({"frame_rate": 5})),
        ("ResolutionSubsampler", json!({"video_size": 64, "resize_mode": "scale"})),
        ("CutDetectionSubsampler", json!({})),
    ] {
        all["subsampling"][name] = json!({"args": args});
    }
    let plan = Ended::of(lab.command("plan", &all, &rows).output().unwrap()).expect(0);
    let passes = "passes: 1 decode, 1 encode per video, audio copied, optical flow per video\n";
    assert!(plan.stdout.contains(passes), "{}", plan.stdout);
    let samples = lab.run(&all, &rows);
    assert_eq!(
        (&samples[0].json["clip"]["height"], &samples[0].media),
        (&json!(64), &vec!["mp4".into(), "npy".into()])
    );
    assert!(Flow::of(&lab, "00000000") == alone);
    let full = clipmill().args(["verify", "--full"]).arg(lab.output()).output().unwrap();
    assert!(Ended::of(full).expect(0).stdout.contains("every clip decoded: sound"));
    // Nor does it lose frames that a lower rate leaves out.
    all["subsampling"]["CutDetectionSubsampler"] = Value::Null;
    lab.run(&all, &rows);
    assert!(Flow::of(&lab, "00000000") == alone);
    // A picture of the first frame costs no second look at it.
    let mut first = config(json!({}), json!({}));
    first["subsampling"]["FrameSubsampler"] = json!({"args": {"downsample_method": "first_frame"}});
    assert_eq!(lab.run(&first, &rows)[0].media, ["jpg", "npy"]);
    assert!(Flow::of(&lab, "00000000") == alone);
}

#[test]
fn the_same_bytes_whatever_the_workers() {
    let lab = Lab::new();
    let rows = ["bikes.mp4", "carphone_pristine.mp4", "bikes.mp4"].map(|name| (footage(name), ""));
    let mut config = config(json!({"video": "mp4"}), json!({"gray": "video2dataset"}));
    config["distribution"] = json!({"processes_count": 1});
    lab.run(&config, &rows);
    let one = snapshot(&lab.output());
    config["distribution"] = json!({"processes_count": 3});
    lab.run(&config, &rows);
    assert_same(&one, &snapshot(&lab.output()));
}

/// The member is larger than all memory that a worker may have.
#[test]
fn memory_does_not_grow_with_the_video() {
    let lab = Lab::new();
    let long = lab.make("long.mp4", "-f lavfi -i testsrc2=s=96x72:r=25:d=50 -c:v mpeg4 -g 250");
    let fast = json!([0.5, 0, 3, 1, 5, 1.2, 0]);
    let mut config = config(json!({}), json!({"fps": 25, "resize_size": 72, "dtype": "fp32", "detector_args": fast}));
    config["limits"] = json!({"memory": "64MiB"});
    let samples = lab.run(&config, &[(long, "")]);
    assert_eq!(samples[0].json["status"], "success", "{}", samples[0].json);
    let bytes =
        members(&lab.output().join("00000.tar")).into_iter().find(|(name, _)| name.ends_with(".npy")).unwrap().1;
    assert_eq!(bytes.len(), 128 + 1249 * 96 * 72 * 8);
    assert!(bytes.len() > 64 << 20);
}
