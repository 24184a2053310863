//! What holds of dense inverse search without OpenCV.

use std::sync::Arc;

use clipmill::flow::{Dis, DisParams, FlowError, Luma, Preset};

use crate::frames::Frames;

fn dis(frames: &Frames, params: &DisParams, threads: usize) -> Dis {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    Dis::new(params, frames.width, frames.height, Some(Arc::new(pool))).unwrap()
}

/// The flow from the first frame to the second.
pub fn flow(frames: &Frames, params: &DisParams) -> Vec<f32> {
    let mut flow = vec![f32::NAN; frames.width * frames.height * 2];
    dis(frames, params, 1).pair(frames.at(0), frames.at(1), &mut flow).unwrap();
    flow
}

fn presets() -> [DisParams; 3] {
    Preset::ALL.map(Preset::params)
}

#[test]
fn the_same_bits_with_any_number_of_threads() {
    let frames = Frames::footage("bikes.mp4", 2.0, (211, 157), 2);
    for params in presets() {
        let want = flow(&frames, &params);
        for threads in [2, 3, 5] {
            let mut flow = vec![0.0; want.len()];
            dis(&frames, &params, threads).pair(frames.at(0), frames.at(1), &mut flow).unwrap();
            assert!(flow == want, "{threads} threads, {params:?}");
        }
    }
}

#[test]
fn more_threads_than_rows() {
    for (width, height) in [(9, 3), (1, 1), (64, 12)] {
        let frames = Frames::noise(width, height);
        let params = DisParams { finest_scale: 0, ..Preset::Medium.params() };
        let mut some = vec![0.0; width * height * 2];
        dis(&frames, &params, 8).pair(frames.at(0), frames.at(1), &mut some).unwrap();
        assert!(some == flow(&frames, &params), "{width}x{height}");
    }
}

#[test]
fn a_video_has_the_flows_of_its_pairs() {
    let frames = Frames::footage("bikes.mp4", 2.0, (120, 90), 4);
    let params = Preset::Medium.params();
    let (mut video, mut pairs) = (dis(&frames, &params, 2), dis(&frames, &params, 1));
    for start in [0, 1] {
        assert!(video.push(frames.at(start)).unwrap().is_none());
        for index in start + 1..4 {
            let mut want = vec![0.0; 120 * 90 * 2];
            pairs.pair(frames.at(index - 1), frames.at(index), &mut want).unwrap();
            assert!(video.push(frames.at(index)).unwrap() == Some(&*want), "frame {index}");
        }
        video.restart();
    }
}

/// As for Farneback: two nodes make the same shard of one video.
#[test]
fn the_same_bits_on_every_processor() {
    let frames = Frames::drawn(75, 61, |frame, x, y| {
        let (x, y) = ((x * 3 + frame * 2) as u32, (y * 2 + 3 * frame) as u32);
        ((x * x + 7 * y) % 97 + (x * y / 16) % 101) as u8
    });
    let checksum = |params: &DisParams| {
        let bytes = flow(&frames, params).into_iter().flat_map(f32::to_le_bytes);
        crc32fast::hash(&bytes.collect::<Vec<u8>>())
    };
    let odd = DisParams { patch_size: 12, patch_stride: 5, use_mean_normalization: false, ..Preset::Medium.params() };
    let [ultrafast, fast, medium] = presets();
    let checksums = [ultrafast, fast, medium, odd].map(|params| checksum(&params));
    assert_eq!(checksums, [1_972_786_773, 2_072_876_998, 4_101_121_641, 2_707_023_083]);
}

#[test]
fn a_flat_surface_does_not_move() {
    for luma in [0, 77, 255] {
        // Nor when it is lit differently.
        let frames = Frames::drawn(70, 50, |frame, _, _| if frame == 0 { luma } else { 90 });
        for params in presets() {
            assert!(flow(&frames, &params).iter().all(|value| *value == 0.0), "{luma}, {params:?}");
        }
    }
}

/// Sharp edges in all directions beside flat surfaces, and no two frames alike, at each size from a pixel on.
#[test]
fn no_input_makes_a_number_that_is_none() {
    let pictures: [fn(usize, usize, usize) -> u8; 6] = [
        |frame, _, _| [0, 255][frame],
        |frame, x, y| if (x + y + frame).is_multiple_of(2) { 255 } else { 0 },
        |frame, x, y| if x + 3 * frame > y { 255 } else { 0 },
        |frame, x, _| if x + 9 * frame > 20 { 255 } else { 0 },
        |frame, x, y| if (x, y) == (19, 17 + frame) { 255 } else { 0 },
        |frame, x, y| (x * 37 + y * y * 11 + frame * 101) as u8,
    ];
    let sizes = [(1, 1), (1, 9), (40, 1), (2, 2), (3, 40), (7, 8), (8, 7), (17, 13), (33, 65), (28, 16)];
    let harsh = DisParams {
        finest_scale: 0,
        variational_refinement_alpha: 0.0,
        variational_refinement_epsilon: 0.0001,
        variational_refinement_iterations: 20,
        ..DisParams::default()
    };
    let large = DisParams { patch_size: 32, patch_stride: 1, ..harsh };
    for (number, picture) in pictures.into_iter().enumerate() {
        for (width, height) in sizes {
            let frames = Frames::drawn(width, height, picture);
            for params in presets().into_iter().chain([harsh, large]) {
                let flow = flow(&frames, &params);
                let bound = (4 * width.max(height) + 64) as f32;
                assert!(
                    flow.iter().all(|value| value.abs() <= bound),
                    "picture {number}, {width}x{height}, {params:?}"
                );
            }
        }
    }
    assert!(flow(&Frames::noise(1, 1), &Preset::Medium.params()) == [0.0; 2], "a pixel has nowhere to go");
}

#[test]
fn known_movements_are_found() {
    let picture = Frames::footage("bikes.mp4", 2.0, (240, 160), 1);
    let small = Frames::footage("bikes.mp4", 2.0, (48, 36), 1);
    let whole = DisParams { finest_scale: 0, ..Preset::Medium.params() };
    let patches = DisParams { patch_size: 13, use_mean_normalization: false, ..whole };
    let alone = DisParams { use_spatial_propagation: false, ..whole };
    for (params, most) in
        [(Preset::Fast.params(), 0.3), (Preset::Medium.params(), 0.1), (whole, 0.05), (patches, 0.05), (alone, 0.05)]
    {
        for (dx, dy) in [(0, 0), (3, 0), (-5, 4)] {
            let found = median_error(&picture, (200, 120), (dx, dy), &params);
            assert!(found < most, "({dx}, {dy}): {found}, {params:?}");
        }
    }
    // The size of a job that makes pictures small.
    let found = median_error(&small, (28, 16), (1, -1), &Preset::Fast.params());
    assert!(found < 0.2, "{found}");
}

/// How far the flow is off, where nothing has left the frame: a part of the picture, moved.
fn median_error(picture: &Frames, (width, height): (usize, usize), (dx, dy): (i32, i32), params: &DisParams) -> f32 {
    let (left, top) = ((picture.width - width) / 2, (picture.height - height) / 2);
    let frames = Frames::drawn(width, height, |frame, x, y| {
        let (x, y) = ((x + left) as i32 - dx * frame as i32, (y + top) as i32 - dy * frame as i32);
        picture.luma[y as usize * picture.width + x as usize]
    });
    let flow = flow(&frames, params);
    let margin = if width > 100 { 20 } else { 3 };
    let inner = (margin..height - margin).flat_map(|y| (margin..width - margin).map(move |x| (y * width + x) * 2));
    let mut errors: Vec<f32> = inner.map(|at| (flow[at] - dx as f32).hypot(flow[at + 1] - dy as f32)).collect();
    errors.sort_by(f32::total_cmp);
    errors[errors.len() / 2]
}

/// With means taken out, light that changes is no movement.
#[test]
fn a_change_of_light_does_not_count() {
    let picture = Frames::footage("bikes.mp4", 2.0, (160, 120), 1);
    let frames = Frames::drawn(160, 120, |frame, x, y| picture.luma[y * 160 + x] / 2 + 60 * frame as u8);
    let params = DisParams { finest_scale: 1, ..Preset::UltraFast.params() };
    let largest = |params: &DisParams| flow(&frames, params).iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    assert!(largest(&params) < 0.01, "{}", largest(&params));
    let counted = DisParams { use_mean_normalization: false, ..params };
    assert!(largest(&counted) > 1.0, "it makes no difference");
}

#[test]
fn no_memory_is_taken_per_pair() {
    let frames = Frames::noise(100, 80);
    for params in presets() {
        let mut dis = Dis::new(&params, 100, 80, None).unwrap();
        let mut flow = vec![0.0; 100 * 80 * 2];
        dis.push(frames.at(0)).unwrap();
        dis.push(frames.at(1)).unwrap();
        let taken = allocation_counter::measure(|| {
            dis.push(frames.at(0)).unwrap();
            dis.pair(frames.at(0), frames.at(1), &mut flow).unwrap();
        });
        assert_eq!(taken.count_total, 0, "{params:?}");
    }
}

#[test]
fn what_cannot_be_asked() {
    let refused = |params: DisParams| match Dis::new(&params, 64, 64, None) {
        Err(FlowError::Parameter { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let default = DisParams::default();
    assert_eq!(refused(DisParams { finest_scale: 17, ..default }), "finest_scale");
    assert_eq!(refused(DisParams { patch_size: 3, ..default }), "patch_size");
    assert_eq!(refused(DisParams { patch_size: 33, ..default }), "patch_size");
    assert_eq!(refused(DisParams { patch_stride: 0, ..default }), "patch_stride");
    assert_eq!(refused(DisParams { patch_stride: 9, ..default }), "patch_stride");
    assert_eq!(refused(DisParams { gradient_descent_iterations: 0, ..default }), "gradient_descent_iterations");
    let iterations = DisParams { variational_refinement_iterations: 101, ..default };
    assert_eq!(refused(iterations), "variational_refinement_iterations");
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        let [mut alpha, mut delta, mut gamma, mut epsilon] = [default; 4];
        alpha.variational_refinement_alpha = value;
        delta.variational_refinement_delta = value;
        gamma.variational_refinement_gamma = value;
        epsilon.variational_refinement_epsilon = value;
        assert_eq!(refused(alpha), "variational_refinement_alpha");
        assert_eq!(refused(delta), "variational_refinement_delta");
        assert_eq!(refused(gamma), "variational_refinement_gamma");
        assert_eq!(refused(epsilon), "variational_refinement_epsilon");
    }
    assert_eq!(Dis::new(&default, 0, 64, None).unwrap_err(), FlowError::Size);

    let mut dis = Dis::new(&default, 10, 10, None).unwrap();
    let (ten, other) = (Luma::new(&[0; 100], 10, 10, 10).unwrap(), Luma::new(&[0; 100], 10, 9, 10).unwrap());
    assert_eq!(dis.push(other).unwrap_err(), FlowError::OtherSize);
    assert!(dis.push(ten).unwrap().is_none(), "the other frame counted");
    assert_eq!(dis.pair(ten, other, &mut [0.0; 200]).unwrap_err(), FlowError::OtherSize);
    assert_eq!(dis.pair(ten, ten, &mut [0.0; 199]).unwrap_err(), FlowError::Buffer);
}
