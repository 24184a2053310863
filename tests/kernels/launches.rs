//! Farneback's flow by launches, as kernels/README.md has it, for a batch of frames of one size.

use clipmill::flow::{FarnebackParams, Plan, PlanLevel, PlanWindow, Taps};

use super::buffer::Buffer;
use super::host::{Args, Order, launch};

pub type Flow = Vec<[f32; 2]>;

/// What a level was left with: of each frame its image, its polynomials (b along y and x, A's yy and xx; its xy), of each
/// pair its flow.
pub struct Step {
    pub width: usize,
    pub height: usize,
    pub image: Vec<f32>,
    pub quad: Vec<[f32; 4]>,
    pub mixed: Vec<f32>,
    pub flow: Flow,
}

/// A table on the device.
pub struct Table {
    pub taps: usize,
    first: Buffer<i32>,
    weights: Buffer<f32>,
}

impl Table {
    pub fn new(taps: &Taps) -> Self {
        Self { taps: taps.taps, first: Buffer::of(&taps.first), weights: Buffer::of(&taps.weights) }
    }
}

impl Args {
    pub fn table(self, table: &Table) -> Self {
        self.buffer(&table.first).buffer(&table.weights).int(table.taps)
    }
}

/// The levels, the full size first. `frames`: one after the other, rows of `stride` bytes; an initial flow for each pair.
pub fn farneback(
    params: &FarnebackParams,
    (width, height, stride): (usize, usize, usize),
    frames: &[u8],
    initial: Option<&[[f32; 2]]>,
    order: Order,
) -> Vec<Step> {
    let plan = Plan::new(params, width, height).unwrap();
    // Memory ends with the last frame's last pixel, not with its last row.
    let count = (frames.len() + stride - width) / (stride * height);
    let frames = Buffer::of(frames);
    let initial = initial.map(Buffer::of);
    let mut steps: Vec<Step> = Vec::new();
    for level in plan.levels.iter().rev() {
        let pixels = level.width * level.height;
        let image = shrink(level, level.tile(), (width, height, stride), &frames, count, order);
        let quad = Buffer::filled([f32::NAN; 4], pixels * count);
        let mixed = Buffer::filled(f32::NAN, pixels * count);
        expand(&plan, level, &image, (&quad, &mixed), count, order);
        let flow = match (steps.last(), &initial) {
            (Some(coarse), _) => enlarge(&plan, level, coarse, count - 1, order),
            (None, Some(initial)) => start(level, (width, height), initial, count - 1, order),
            (None, None) => Buffer::filled([0.0; 2], pixels * (count - 1)),
        };
        improve(&plan, level, (&quad, &mixed), &flow, count - 1, order);
        let (image, quad, mixed, flow) = (image.read(), quad.read(), mixed.read(), flow.read());
        steps.push(Step { width: level.width, height: level.height, image, quad, mixed, flow });
    }
    steps.reverse();
    steps
}

/// `tile`: how many pixels of a row a block makes, and how many columns it needs for that.
pub fn shrink(
    level: &PlanLevel,
    (tile, span): (usize, usize),
    (width, height, stride): (usize, usize, usize),
    frames: &Buffer<u8>,
    count: usize,
    order: Order,
) -> Buffer<f32> {
    let image = Buffer::filled(f32::NAN, level.width * level.height * count);
    let (columns, rows) = (Table::new(&level.columns), Table::new(&level.rows));
    let args = Args::new()
        .buffer(frames)
        .ints([width, height, stride, stride * height])
        .buffer(&image)
        .ints([level.width, level.height])
        .table(&columns)
        .table(&rows)
        .ints([tile, span]);
    let grid = [level.width.div_ceil(tile), level.height, count];
    launch("pyramid_level", grid, [128, 1], 4 * span, order, args);
    image
}

fn expand(
    plan: &Plan,
    level: &PlanLevel,
    image: &Buffer<f32>,
    (quad, mixed): (&Buffer<[f32; 4]>, &Buffer<f32>),
    count: usize,
    order: Order,
) {
    let name = if plan.poly_n == 5 { "expand_5" } else { "expand_7" };
    let size = [level.width, level.height];
    let args = Args::new().buffer(image).ints(size).buffer(quad).buffer(mixed).value(plan.expansion);
    launch(name, [level.width.div_ceil(32), level.height.div_ceil(16), count], [32, 8], 0, order, args);
}

fn enlarge(plan: &Plan, level: &PlanLevel, coarse: &Step, pairs: usize, order: Order) -> Buffer<[f32; 2]> {
    let [columns, rows] = level.enlarge.as_ref().unwrap();
    let (columns, rows) = (Table::new(columns), Table::new(rows));
    let source = Buffer::of(&coarse.flow);
    let flow = Buffer::filled([f32::NAN; 2], level.width * level.height * pairs);
    let args = Args::new()
        .buffer(&source)
        .ints([coarse.width, coarse.height])
        .buffer(&flow)
        .ints([level.width, level.height])
        .table(&columns)
        .table(&rows)
        .value(plan.growth);
    launch("flow_enlarge", tiles(level, pairs), [32, 8], 0, order, args);
    flow
}

fn start(
    level: &PlanLevel,
    frame: (usize, usize),
    initial: &Buffer<[f32; 2]>,
    pairs: usize,
    order: Order,
) -> Buffer<[f32; 2]> {
    let [columns, rows] = &level.start;
    let (columns, rows) = (Table::new(columns), Table::new(rows));
    let flow = Buffer::filled([f32::NAN; 2], level.width * level.height * pairs);
    let args = Args::new()
        .buffer(initial)
        .ints([frame.0, frame.1])
        .buffer(&flow)
        .ints([level.width, level.height])
        .table(&columns)
        .table(&rows)
        .value(level.scale);
    launch("flow_start", tiles(level, pairs), [32, 8], 0, order, args);
    flow
}

fn tiles(level: &PlanLevel, items: usize) -> [usize; 3] {
    [level.width.div_ceil(32), level.height.div_ceil(8), items]
}

fn improve(
    plan: &Plan,
    level: &PlanLevel,
    (quad, mixed): (&Buffer<[f32; 4]>, &Buffer<f32>),
    flow: &Buffer<[f32; 2]>,
    pairs: usize,
    order: Order,
) {
    let PlanLevel { width, height, .. } = *level;
    let equations = Buffer::filled(f32::NAN, 5 * width * height * pairs);
    let sums = Buffer::filled(f32::NAN, 5 * width * height * pairs);
    for _ in 0..plan.iterations {
        let args = Args::new().buffer(quad).buffer(mixed).buffer(flow).buffer(&equations).ints([width, height]);
        launch("flow_equations", tiles(level, pairs), [32, 8], 0, order, args);
        average(&plan.window, (width, height, pairs), &equations, &sums, flow, order);
    }
}

/// The equations' window, and the flow that solves them.
pub fn average(
    window: &PlanWindow,
    (width, height, pairs): (usize, usize, usize),
    equations: &Buffer<f32>,
    sums: &Buffer<f32>,
    flow: &Buffer<[f32; 2]>,
    order: Order,
) {
    let across = width.div_ceil(128);
    let columns = || Args::new().buffer(equations).buffer(sums).ints([width, height]);
    let rows = || Args::new().buffer(sums).buffer(flow).ints([width, height]);
    match window {
        PlanWindow::Box { radius, scale } => {
            let grid = [across, height.div_ceil(2 * radius + 1), 5 * pairs];
            launch("box_columns", grid, [128, 1], 0, order, columns().int(*radius));
            let args = rows().int(*radius).value(*scale);
            launch("box_solve", [across, height, pairs], [128, 1], 40 * (128 + 2 * radius), order, args);
        }
        PlanWindow::Gaussian { weights } => {
            let radius = weights.len() - 1;
            let weights = Buffer::of(weights);
            let grid = [width.div_ceil(32), height.div_ceil(32), 5 * pairs];
            let args = columns().int(radius).buffer(&weights);
            launch("gauss_columns", grid, [32, 8], 128 * (32 + 2 * radius), order, args);
            let args = rows().int(radius).buffer(&weights);
            launch("gauss_solve", [across, height, pairs], [128, 1], 20 * (128 + 2 * radius), order, args);
        }
    }
}
