//! Single kernels against sums in f64, where a whole flow would not show them; and with input that is no number.

use clipmill::flow::{FarnebackParams, Plan, PlanLevel, PlanWindow};

use super::buffer::Buffer;
use super::farneback::random;
use super::host::{Args, Order, launch};
use super::launches::{Table, average, farneback, shrink};

/// 1e-4 relative to the largest number of the plane.
fn near(got: &[f32], want: &[f64], what: &str) {
    let most = want.iter().fold(1e-3_f64, |most, value| most.max(value.abs()));
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(off <= 1e-4 * most, "{what}: number {at} is {got}, not {want}");
    }
}

fn mirror(index: i32, len: usize) -> usize {
    let (mut index, last) = (index, len as i32 - 1);
    while last > 0 && !(0..=last).contains(&index) {
        index = if index < 0 { -index } else { 2 * last - index };
    }
    if last == 0 { 0 } else { index as usize }
}

/// A level's pixel from the frame, in f64.
fn level_pixel(level: &PlanLevel, luma: &dyn Fn(usize, usize) -> u8, frame: (usize, usize), at: (usize, usize)) -> f64 {
    let mut sum = 0.0;
    for row in 0..level.rows.taps {
        for column in 0..level.columns.taps {
            let y = mirror(level.rows.first[at.1] + row as i32, frame.1);
            let x = mirror(level.columns.first[at.0] + column as i32, frame.0);
            let weight_y = f64::from(level.rows.weights[at.1 * level.rows.taps + row]);
            let weight_x = f64::from(level.columns.weights[at.0 * level.columns.taps + column]);
            sum += weight_y * weight_x * (f64::from(luma(x, y)) - 128.0);
        }
    }
    sum
}

#[test]
fn a_level_of_which_a_block_makes_few_pixels_is_right() {
    let (width, height) = (32_768, 700);
    let luma = |x: usize, y: usize| ((x * 7 + y * 13) % 251) as u8;
    let params = FarnebackParams { pyr_scale: 0.05, levels: 1, ..Default::default() };
    let plan = Plan::new(&params, width, height).unwrap();
    let level = &plan.levels[1];
    let frames = Buffer::of(&(0..width * height).map(|at| luma(at % width, at / width)).collect::<Vec<_>>());
    for tile in [level.tile(), (16, 16 * 20 + level.columns.taps + 20), (1, level.columns.taps)] {
        let image = shrink(level, tile, (width, height, width), &frames, 1, Order::Forward).read();
        for (x, y) in [(0, 0), (1, 34), (127, 3), (128, 17), (129, 20), (level.width - 1, level.height - 1)] {
            let want = level_pixel(level, &luma, (width, height), (x, y));
            near(&[image[y * level.width + x]], &[want], &format!("tile {tile:?}, {x}, {y}"));
        }
    }
}

#[test]
fn levels_are_sums_of_their_tables() {
    for (width, height) in [(1, 1), (1, 40), (40, 1), (45, 37), (129, 66)] {
        let mut noise = random(width as u32);
        let frame: Vec<u8> = (0..width * height).map(|_| noise() as u8).collect();
        let luma = |x: usize, y: usize| frame[y * width + x];
        let plan = Plan::new(&FarnebackParams { pyr_scale: 0.7, ..Default::default() }, width, height).unwrap();
        for level in &plan.levels {
            let device = Buffer::of(&frame);
            let image = shrink(level, level.tile(), (width, height, width), &device, 1, Order::Backward).read();
            let pixels = (0..level.width * level.height).map(|at| (at % level.width, at / level.width));
            let want: Vec<f64> = pixels.map(|at| level_pixel(level, &luma, (width, height), at)).collect();
            near(&image, &want, &format!("{width}×{height}"));
        }
    }
}

/// The mean equations of a window in f64, solved.
fn solution(window: &PlanWindow, equations: &[f32], (width, height): (usize, usize), at: (usize, usize)) -> [f64; 2] {
    let (radius, weight): (i32, &dyn Fn(i32, i32) -> f64) = match window {
        PlanWindow::Box { radius, scale } => (*radius as i32, &move |_, _| f64::from(*scale)),
        PlanWindow::Gaussian { weights } => (weights.len() as i32 - 1, &|x, y| {
            f64::from(weights[x.unsigned_abs() as usize]) * f64::from(weights[y.unsigned_abs() as usize])
        }),
    };
    let mut sums = [0.0; 5];
    for dy in -radius..=radius {
        for dx in -radius..=radius {
            let x = (at.0 as i32 + dx).clamp(0, width as i32 - 1) as usize;
            let y = (at.1 as i32 + dy).clamp(0, height as i32 - 1) as usize;
            for (plane, sum) in sums.iter_mut().enumerate() {
                *sum += weight(dx, dy) * f64::from(equations[(plane * height + y) * width + x]);
            }
        }
    }
    let [yy, xy, xx, by, bx] = sums;
    let over = 1.0 / (yy * xx - xy * xy + 1e-3);
    [(yy * bx - xy * by) * over, (xx * by - xy * bx) * over]
}

#[test]
fn windows_are_means_and_their_solutions() {
    for (width, height) in [(1, 1), (1, 7), (3, 2), (17, 33), (131, 19)] {
        for (winsize, gaussian) in [(2, false), (5, false), (15, false), (3, true), (16, true)] {
            let params = FarnebackParams { winsize, gaussian, ..Default::default() };
            let window = Plan::new(&params, width, height).unwrap().window;
            let mut noise = random(winsize);
            let mut value = |least: f32| least + (noise() % 1000) as f32 / 100.0;
            let pixels = width * height;
            // Of positive matrices, so that the solution is well defined.
            let mut equations = Vec::new();
            for least in [20.0, -5.0, 20.0, -5.0, -5.0] {
                equations.extend((0..pixels).map(|_| value(least)));
            }
            let device = Buffer::of(&equations);
            let (sums, flow) = (Buffer::filled(f32::NAN, 5 * pixels), Buffer::filled([f32::NAN; 2], pixels));
            average(&window, (width, height, 1), &device, &sums, &flow, Order::Scattered);
            let want: Vec<f64> = (0..pixels)
                .flat_map(|at| solution(&window, &equations, (width, height), (at % width, at / width)))
                .collect();
            near(flow.read().as_flattened(), &want, &format!("{width}×{height}, {window:?}"));
        }
    }
}

/// The flow of a frame whose equations are everywhere the same, in a box of 3 × 3.
fn of_equations(equations: [f32; 5], (width, height): (usize, usize)) -> Vec<[f32; 2]> {
    let window = Plan::new(&FarnebackParams { winsize: 3, ..Default::default() }, width, height).unwrap().window;
    let pixels = width * height;
    let equations: Vec<f32> = equations.iter().flat_map(|value| vec![*value; pixels]).collect();
    let (equations, sums) = (Buffer::of(&equations), Buffer::filled(f32::NAN, 5 * pixels));
    let flow = Buffer::filled([f32::NAN; 2], pixels);
    average(&window, (width, height, 1), &equations, &sums, &flow, Order::Forward);
    flow.read()
}

#[test]
fn a_determinant_that_rounding_made_negative_counts_as_none() {
    // yy × xx − xy² is below 0, as rounding may leave it.
    let [[dx, dy]] = of_equations([1e4, 1.0001e4, 1e4, 3.0, 4.0], (1, 1))[..] else { panic!("one pixel") };
    let (want_x, want_y) = ((1e4 * 4.0 - 1.0001e4 * 3.0) / 1e-3, (1e4 * 3.0 - 1.0001e4 * 4.0) / 1e-3);
    for (got, want) in [(dx, want_x), (dy, want_y)] {
        assert_eq!(got, f32::clamp(want, -1_048_576.0, 1_048_576.0));
    }
}

#[test]
fn sums_that_overflow_are_no_movement() {
    let flow = of_equations([f32::MAX / 4.0; 5], (5, 4));
    assert!(flow.iter().all(|pair| *pair == [0.0, 0.0]), "{flow:?}");
}

/// What a GPU's memory may hold.
const STRANGE: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1.0e-42];

fn strange<const N: usize>(len: usize, seed: u32) -> Vec<[f32; N]> {
    let mut noise = random(seed);
    let mut number =
        || if noise().is_multiple_of(2) { STRANGE[noise() as usize % 6] } else { noise() as f32 / 1e4 - 800.0 };
    (0..len).map(|_| std::array::from_fn(|_| number())).collect()
}

fn finite(numbers: &[f32], what: &str) {
    let other = numbers.iter().find(|number| !number.is_finite());
    assert!(other.is_none(), "{what} made {other:?}");
}

#[test]
fn nothing_that_is_no_number_leaves_a_kernel() {
    let (width, height) = (70, 35);
    let pixels = width * height;
    let planes = |seed| Buffer::of(strange::<1>(5 * pixels, seed).as_flattened());
    for (gaussian, poly_n) in [(false, 5), (true, 7)] {
        let params = FarnebackParams { gaussian, poly_n, ..Default::default() };
        let plan = Plan::new(&params, width, height).unwrap();
        let (quad, mixed) = (Buffer::filled([f32::NAN; 4], pixels), Buffer::filled(f32::NAN, pixels));
        let image = planes(1);
        let args = Args::new().buffer(&image).ints([width, height]).buffer(&quad).buffer(&mixed);
        let name = if poly_n == 5 { "expand_5" } else { "expand_7" };
        launch(name, [3, 3, 1], [32, 8], 0, Order::Forward, args.value(plan.expansion));
        finite(quad.read().as_flattened(), name);
        finite(&mixed.read(), name);

        let (sums, flow) = (Buffer::filled(f32::NAN, 5 * pixels), Buffer::filled([f32::NAN; 2], pixels));
        average(&plan.window, (width, height, 1), &planes(2), &sums, &flow, Order::Forward);
        finite(&sums.read(), "the window's columns");
        finite(flow.read().as_flattened(), "the solution");
        assert!(flow.read().as_flattened().iter().all(|number| number.abs() <= 1_048_576.0));
    }
    let (quad, mixed) = (Buffer::of(&strange::<4>(2 * pixels, 3)), Buffer::of(&strange::<1>(2 * pixels, 4)));
    let (flow, equations) = (Buffer::of(&strange::<2>(pixels, 5)), Buffer::filled(f32::NAN, 5 * pixels));
    let args = Args::new().buffer(&quad).buffer(&mixed).buffer(&flow).buffer(&equations).ints([width, height]);
    launch("flow_equations", [3, 5, 1], [32, 8], 0, Order::Forward, args);
    finite(&equations.read(), "flow_equations");

    let plan = Plan::new(&FarnebackParams { pyr_scale: 0.95, ..Default::default() }, width, height).unwrap();
    let (fine, coarse) = (&plan.levels[0], &plan.levels[1]);
    let [columns, rows] = fine.enlarge.as_ref().unwrap();
    let (columns, rows) = (Table::new(columns), Table::new(rows));
    let out = Buffer::filled([f32::NAN; 2], pixels);
    let small = Buffer::of(&strange::<2>(coarse.width * coarse.height, 6));
    let args = Args::new().buffer(&small).ints([coarse.width, coarse.height]).buffer(&out).ints([width, height]);
    let args = args.table(&columns).table(&rows).value(plan.growth);
    launch("flow_enlarge", [3, 5, 1], [32, 8], 0, Order::Forward, args);
    finite(out.read().as_flattened(), "flow_enlarge");
}

#[test]
fn a_flat_scene_does_not_move() {
    let params = FarnebackParams::default();
    for value in [0, 77, 255] {
        let steps = farneback(&params, (64, 48, 64), &[value; 2 * 64 * 48], None, Order::Forward);
        for step in steps {
            assert!(step.image.iter().all(|luma| (luma - f32::from(value) + 128.0).abs() < 1e-3));
            assert!(step.flow.as_flattened().iter().all(|number| number.abs() < 1e-3));
        }
    }
}
