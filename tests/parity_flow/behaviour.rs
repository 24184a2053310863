//! What holds without OpenCV: the same bits in every way to ask, no NaN, no memory taken, known movements found.

use clipmill::flow::{Farneback, FarnebackParams, FlowError, Luma};

use crate::frames::Frames;

fn gaussian() -> FarnebackParams {
    FarnebackParams { gaussian: true, ..FarnebackParams::default() }
}

#[test]
fn the_same_bits_with_any_number_of_threads() {
    let frames = Frames::footage("bikes.mp4", 2.0, (131, 97), 2);
    for params in [FarnebackParams::default(), gaussian(), FarnebackParams { pyr_scale: 0.8, ..Default::default() }] {
        let want = frames.flow(&params, None);
        for threads in [2, 3, 5] {
            let mut flow = vec![0.0; want.len()];
            frames.farneback(&params, threads).pair(frames.at(0), frames.at(1), None, &mut flow).unwrap();
            assert!(flow == want, "{threads} threads, {params:?}");
        }
    }
}

#[test]
fn more_threads_than_rows() {
    let frames = Frames::noise(9, 3);
    let mut flow = vec![0.0; 9 * 3 * 2];
    frames.farneback(&FarnebackParams::default(), 8).pair(frames.at(0), frames.at(1), None, &mut flow).unwrap();
    assert!(flow == frames.flow(&FarnebackParams::default(), None));
}

#[test]
fn a_video_has_the_flows_of_its_pairs() {
    let frames = Frames::footage("bikes.mp4", 2.0, (120, 90), 4);
    let params = FarnebackParams::default();
    let mut video = frames.farneback(&params, 2);
    let mut pairs = frames.farneback(&params, 1);
    for start in [0, 1] {
        assert!(video.push(frames.at(start)).unwrap().is_none());
        for index in start + 1..4 {
            let mut want = vec![0.0; 120 * 90 * 2];
            pairs.pair(frames.at(index - 1), frames.at(index), None, &mut want).unwrap();
            assert!(video.push(frames.at(index)).unwrap() == Some(&*want), "frame {index}");
        }
        video.restart();
    }
}

#[test]
fn rows_may_lie_apart() {
    let frames = Frames::noise(37, 21);
    let apart: Vec<u8> = frames.luma.chunks(37).flat_map(|row| row.iter().copied().chain([9; 11])).collect();
    let (first, second) = apart.split_at(48 * 21);
    // The last row need not be filled up.
    let plane = |bytes| Luma::new(bytes, 37, 21, 48).unwrap();
    let mut flow = vec![0.0; 37 * 21 * 2];
    let mut farneback = frames.farneback(&FarnebackParams::default(), 1);
    farneback.pair(plane(first), plane(&second[..48 * 21 - 11]), None, &mut flow).unwrap();
    assert!(flow == frames.flow(&FarnebackParams::default(), None));
}

/// `f32` sums differ with their order. This order is the same on every processor, or else two nodes would make two
/// different shards of one video.
#[test]
fn the_same_bits_on_every_processor() {
    let frames = Frames::drawn(75, 61, |frame, x, y| {
        let (x, y) = ((x * 3 + frame * 2) as u32, (y * 2 + 3 * frame) as u32);
        ((x * x + 7 * y) % 97 + (x * y / 16) % 101) as u8
    });
    let checksum = |params: &FarnebackParams| {
        let bytes = frames.flow(params, None).into_iter().flat_map(f32::to_le_bytes);
        crc32fast::hash(&bytes.collect::<Vec<u8>>())
    };
    assert_eq!([checksum(&FarnebackParams::default()), checksum(&gaussian())], [1_672_377_587, 2_826_223_706]);
}

#[test]
fn a_flat_surface_does_not_move() {
    for luma in [0, 77, 255] {
        // Nor when it is lit differently.
        let frames = Frames::drawn(70, 50, |frame, _, _| if frame == 0 { luma } else { 90 });
        assert!(frames.flow(&FarnebackParams::default(), None).iter().all(|value| value.abs() < 1e-6));
        assert!(frames.flow(&gaussian(), None).iter().all(|value| value.abs() < 1e-6));
    }
}

/// Sharp edges in all directions beside flat surfaces, and no two frames alike.
#[test]
fn no_input_makes_a_number_that_is_none() {
    let pictures: [fn(usize, usize, usize) -> u8; 5] = [
        |frame, _, _| [0, 255][frame],
        |frame, x, y| if (x + y + frame).is_multiple_of(2) { 255 } else { 0 },
        |frame, x, y| if x + 3 * frame > y { 255 } else { 0 },
        |frame, x, _| if x + 9 * frame > 20 { 255 } else { 0 },
        |frame, x, y| if (x, y) == (19, 17 + frame) { 255 } else { 0 },
    ];
    for (number, picture) in pictures.into_iter().enumerate() {
        let frames = Frames::drawn(40, 36, picture);
        for winsize in [2, 15, 100] {
            for gaussian in [false, true] {
                let params = FarnebackParams { winsize, gaussian, levels: 0, iterations: 10, ..Default::default() };
                let flow = frames.flow(&params, None);
                assert!(flow.iter().all(|value| value.is_finite()), "picture {number}, {params:?}");
            }
        }
    }
}

#[test]
fn an_initial_flow_may_hold_anything() {
    let frames = Frames::noise(64, 48);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e30, 32768.5] {
        let mut initial = vec![0.0; 64 * 48 * 2];
        initial.iter_mut().step_by(7).for_each(|place| *place = value);
        let flow = frames.flow(&FarnebackParams::default(), Some(&initial));
        assert!(flow.iter().all(|value| value.is_finite()), "{value}");
    }
}

#[test]
fn known_movements_are_found() {
    let picture = Frames::footage("bikes.mp4", 2.0, (240, 160), 1);
    for (dx, dy) in [(0, 0), (3, 0), (-5, 4)] {
        let size = (200, 120);
        let frames = Frames::drawn(size.0, size.1, |frame, x, y| {
            let (x, y) = (x as i32 + 20 - dx * frame as i32, y as i32 + 20 - dy * frame as i32);
            picture.luma[y as usize * 240 + x as usize]
        });
        let flow = frames.flow(&gaussian(), None);
        // What has left the frame is not to be found.
        let inner = (20..100).flat_map(|y| (20..180).map(move |x| (y * 200 + x) * 2));
        let mut errors: Vec<f32> = inner.map(|at| (flow[at] - dx as f32).hypot(flow[at + 1] - dy as f32)).collect();
        errors.sort_by(f32::total_cmp);
        let median = errors[errors.len() / 2];
        assert!(median < 0.1, "({dx}, {dy}): {median}");
    }
}

#[test]
fn no_memory_is_taken_per_pair() {
    let frames = Frames::noise(100, 80);
    let mut farneback = Farneback::new(&FarnebackParams::default(), 100, 80, None).unwrap();
    let mut flow = vec![0.0; 100 * 80 * 2];
    farneback.push(frames.at(0)).unwrap();
    farneback.push(frames.at(1)).unwrap();
    let taken = allocation_counter::measure(|| {
        farneback.push(frames.at(0)).unwrap();
        farneback.pair(frames.at(0), frames.at(1), None, &mut flow).unwrap();
    });
    assert_eq!(taken.count_total, 0);
}

#[test]
fn what_cannot_be_asked() {
    let refused = |params: FarnebackParams| match Farneback::new(&params, 64, 64, None) {
        Err(FlowError::Parameter { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let default = FarnebackParams::default();
    for pyr_scale in [0.0, 1.0, -0.5, f64::NAN] {
        assert_eq!(refused(FarnebackParams { pyr_scale, ..default }), "pyr_scale");
    }
    assert_eq!(refused(FarnebackParams { levels: 33, ..default }), "levels");
    assert_eq!(refused(FarnebackParams { winsize: 1, ..default }), "winsize");
    assert_eq!(refused(FarnebackParams { winsize: 256, ..default }), "winsize");
    assert_eq!(refused(FarnebackParams { iterations: 0, ..default }), "iterations");
    assert_eq!(refused(FarnebackParams { poly_n: 6, ..default }), "poly_n");
    assert_eq!(refused(FarnebackParams { poly_sigma: f64::NAN, ..default }), "poly_sigma");
    let error = Farneback::new(&FarnebackParams { poly_n: 6, ..default }, 64, 64, None).unwrap_err();
    assert_eq!(error.to_string(), "optical flow: poly_n is out of range: 5 or 7");

    assert_eq!(Farneback::new(&default, 0, 64, None).unwrap_err(), FlowError::Size);
    assert_eq!(Luma::new(&[0; 99], 10, 10, 10).unwrap_err(), FlowError::Plane);
    assert_eq!(Luma::new(&[0; 100], 10, 10, 9).unwrap_err(), FlowError::Plane);
    assert_eq!(Luma::new(&[], 10, 0, 10).unwrap_err(), FlowError::Size);
    assert_eq!(Luma::new(&[0; 100], 10, 10, usize::MAX).unwrap_err(), FlowError::Plane);

    let mut farneback = Farneback::new(&default, 10, 10, None).unwrap();
    let (ten, other) = (Luma::new(&[0; 100], 10, 10, 10).unwrap(), Luma::new(&[0; 100], 10, 9, 10).unwrap());
    assert_eq!(farneback.push(other).unwrap_err(), FlowError::OtherSize);
    assert!(farneback.push(ten).unwrap().is_none(), "the other frame counted");
    assert_eq!(farneback.pair(ten, other, None, &mut [0.0; 200]).unwrap_err(), FlowError::OtherSize);
    assert_eq!(farneback.pair(ten, ten, None, &mut [0.0; 199]).unwrap_err(), FlowError::Buffer);
    assert_eq!(farneback.pair(ten, ten, Some(&[0.0; 50]), &mut [0.0; 200]).unwrap_err(), FlowError::Buffer);
}
