//! What moves scores higher than what does not, at any frame rate, size and depth.

use std::path::Path;

use clipmill::subsample::motion::Motion;

use crate::lab::{Lab, footage};
use crate::watch::watch;

const X264: &str = "-c:v libx264 -preset ultrafast -crf 12";

fn motion(path: &Path) -> [f64; 3] {
    let fields = watch(path, |_| Box::new(Motion::new(5.0)));
    ["motion", "motion_median", "motion_max"].map(|name| fields[name].as_f64().unwrap())
}

#[test]
fn stillness_scores_nothing() {
    let lab = Lab::new();
    let path = lab.make("still.mp4", &format!("-f lavfi -i testsrc2=d=0.04:r=25,loop=50:1 {X264}"));
    assert!(motion(&path)[0] < 0.05, "{:?}", motion(&path));
    let one = lab.make("one.mp4", &format!("-f lavfi -i testsrc2=d=0.04:r=25 {X264}"));
    assert_eq!(motion(&one), [0.0; 3]);
}

#[test]
fn scores_do_not_depend_on_rate_size_and_depth() {
    let lab = Lab::new();
    let bikes = footage("bikes.mp4");
    let make = |name: &str, filter: &str, more: &str| {
        lab.make(name, &format!("-i {} -t 3 -vf {filter} {X264} {more}", bikes.display()))
    };
    let want = motion(&make("plain.mp4", "null", ""));
    assert!(want[0] > 1.0 && want[1] <= want[2], "{want:?}");
    for (name, filter, more) in [
        ("double.mp4", "fps=50", ""),
        ("small.mp4", "scale=320:136", ""),
        ("deep.mkv", "null", "-pix_fmt yuv420p10le"),
        ("full.mp4", "null", "-pix_fmt yuvj420p"),
        ("varying.mkv", "select='mod(n,5)*mod(n,3)+not(mod(n,5))'", "-vsync vfr"),
    ] {
        let got = motion(&make(name, filter, more));
        for (got, want) in got.iter().zip(want) {
            assert!((got / want - 1.0).abs() < 0.1, "{name}: {got}, not {want}");
        }
    }
}
