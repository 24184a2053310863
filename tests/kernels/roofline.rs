//! What the kernels would take if memory or arithmetic were the only limit: a model, from what each kernel must move and
//! compute, and datasheets. Nothing here is measured.

use clipmill::flow::{FarnebackParams, Plan};

use super::manual;

/// Of one pixel that a kernel makes (of a frame's pixel for `pyramid_level`'s input, which is told apart): bytes that must
/// come from or go to memory at least, each once; and operations, an f64 one as two.
struct Cost {
    kernel: &'static str,
    bytes: f64,
    operations: f64,
    what: &'static str,
}

const fn cost(kernel: &'static str, bytes: f64, operations: f64, what: &'static str) -> Cost {
    Cost { kernel, bytes, operations, what }
}

/// For the default parameters: neighbourhoods of radius 5, windows of 15.
const COSTS: [Cost; 17] = [
    cost("nv12_luma", 2.0, 6.0, "1 byte in, 1 out"),
    cost("p010_luma", 3.0, 7.0, "2 in, 1 out"),
    cost("nv12_rgb", 4.5, 40.0, "1.5 in, 3 out"),
    cost("p010_rgb", 6.0, 44.0, "3 in, 3 out"),
    cost("upright", 2.0, 1.0, "1 in, 1 out; 3 in from RGB"),
    cost("resize_columns", 11.5, 17.0, "1080 to 144 rows by area: 7.5 in, 4 out"),
    cost("resize_rows", 31.0, 18.0, "1920 to 256 columns by area: 30 in, 1 out"),
    cost("pyramid_level", 5.0, 13.0, "full size: 1 in, 4 out; a level of half the size: 4 in, 4 out"),
    cost("expand_5", 24.0, 140.0, "4 in, 20 out"),
    cost("expand_7", 24.0, 194.0, "4 in, 20 out"),
    cost("flow_enlarge", 10.0, 20.0, "2 in, 8 out"),
    cost("flow_equations", 68.0, 100.0, "two frames' polynomials and a flow, 48 in; 20 out"),
    cost("box_columns", 40.0, 20.0, "20 in, 20 out; as much again between the thread and its cache"),
    cost("box_solve", 28.0, 75.0, "20 in, 8 out"),
    cost("gauss_columns", 40.0, 110.0, "20 in, 20 out"),
    cost("gauss_solve", 28.0, 155.0, "20 in, 8 out"),
    cost("flow_motion", 8.0, 14.0, "8 in"),
];

/// From NVIDIA's datasheets: bytes and single f32 operations (half of what is stated, which counts a fused multiplication
/// and addition as two) a second, and NVDEC engines.
struct Gpu {
    bandwidth: f64,
    operations: f64,
    decoders: f64,
}

const A100: Gpu = Gpu { bandwidth: 2039e9, operations: 9.75e12, decoders: 5.0 };
const H100: Gpu = Gpu { bandwidth: 3350e9, operations: 33.5e12, decoders: 7.0 };
/// An assumption, not a datasheet's figure: frames of 1080p H.264 a second that one engine decodes.
const DECODED: f64 = 700.0;

fn of(kernel: &str) -> &'static Cost {
    COSTS.iter().find(|cost| cost.kernel == kernel).unwrap()
}

/// Seconds for `pixels` of a kernel, of which each is also made of `more` bytes.
fn seconds(gpu: &Gpu, kernel: &str, pixels: f64, more: f64) -> f64 {
    let cost = of(kernel);
    pixels * ((cost.bytes + more) / gpu.bandwidth).max(cost.operations / gpu.operations)
}

/// Bytes and seconds of one more frame of a video, default parameters: its polynomials and the flow to it.
fn pair(gpu: &Gpu, width: usize, height: usize) -> (f64, f64) {
    let plan = Plan::new(&FarnebackParams::default(), width, height).unwrap();
    let (mut bytes, mut time) = (0.0, 0.0);
    for level in &plan.levels {
        let pixels = (level.width * level.height) as f64;
        let mut add = |kernel: &str, times: f64, more: f64| {
            bytes += times * pixels * (of(kernel).bytes + more);
            time += times * seconds(gpu, kernel, pixels, more);
        };
        add("pyramid_level", 1.0, (width * height) as f64 / pixels - 1.0);
        add("expand_5", 1.0, 0.0);
        if level.enlarge.is_some() {
            add("flow_enlarge", 1.0, 0.0);
        }
        for kernel in ["flow_equations", "box_columns", "box_solve"] {
            add(kernel, f64::from(plan.iterations), 0.0);
        }
    }
    (bytes, time)
}

/// To three digits.
fn short(value: f64) -> String {
    let digits = 2_i32 - value.log10().floor() as i32;
    let unit = 10_f64.powi(digits);
    format!("{:.*}", digits.max(0) as usize, (value * unit).round() / unit)
}

#[test]
fn the_manual_has_the_models_figures() {
    let pixels = 1280.0 * 720.0;
    let mut table = String::from(
        "| kernel | bytes a pixel | operations a pixel | made of | 1280×720, A100, µs | H100, µs |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for Cost { kernel, bytes, operations, what } in &COSTS {
        let [a100, h100] = [A100, H100].map(|gpu| short(seconds(&gpu, kernel, pixels, 0.0) * 1e6));
        table += &format!("| `{kernel}` | {bytes} | {operations} | {what} | {a100} | {h100} |\n");
    }
    manual::holds("kernels", &table);
}

#[test]
fn the_manual_has_the_models_pairs() {
    let mut table = String::from(
        "| frame | MB a pair | A100, µs a pair | pairs/s | H100, µs a pair | pairs/s |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (width, height) in [(320, 240), (456, 256), (640, 360), (1280, 720), (1920, 1080)] {
        let (bytes, _) = pair(&A100, width, height);
        let times = [A100, H100].map(|gpu| pair(&gpu, width, height).1);
        let cells = times.map(|time| format!("{} | {}", short(time * 1e6), short(1.0 / time)));
        table += &format!("| {width}×{height} | {} | {} |\n", short(bytes / 1e6), cells.join(" | "));
    }
    manual::holds("pairs", &table);
}

/// 1080p of 25 frames/s in, of which some are used.
#[test]
fn the_manual_has_the_models_jobs() {
    let mut table = String::from(
        "| flow of 1080p at 25 frames/s | A100: pairs/s | GPU busy with flow | H100: pairs/s | GPU busy with flow |\n| --- | --- | --- | --- | --- |\n",
    );
    for (job, fps, size) in [
        ("2 a second, 28×16", 2.0, (28, 16)),
        ("8 a second, 456×256", 8.0, (456, 256)),
        ("all, 456×256", 25.0, (456, 256)),
        ("all, 1280×720", 25.0, (1280, 720)),
    ] {
        let cells = [A100, H100].map(|gpu| {
            let pairs = gpu.decoders * DECODED * fps / 25.0;
            // A frame's luma, then its columns and rows.
            let (source, tall) = (1920.0 * 1080.0, 1920.0 * size.1 as f64);
            let shrink = 2.0 * source + (source + 4.0 * tall) + (4.0 * tall + (size.0 * size.1) as f64);
            let busy = pairs * (pair(&gpu, size.0, size.1).1 + shrink / gpu.bandwidth);
            format!("{} | {} %", short(pairs), short(busy * 100.0))
        });
        table += &format!("| {job} | {} |\n", cells.join(" | "));
    }
    manual::holds("jobs", &table);
}
