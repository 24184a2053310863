//! `clipmill inspect SHARD KEY --flow`: pictures of flows that are known, and of members that are none.

#[path = "common/job.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod job;

use std::path::{Path, PathBuf};

use job::{Ended, clipmill};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a shard in it.
struct Lab(TempDir);

impl Lab {
    /// `members`: names in the tar, and bytes.
    fn new(members: &[(&str, &[u8])]) -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        let mut tar = tar::Builder::new(std::fs::File::create(lab.path("00000.tar")).unwrap());
        for (name, bytes) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        tar.into_inner().unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `inspect` in the folder.
    fn inspect(&self, arguments: &[&str]) -> Ended {
        let mut command = clipmill();
        command.current_dir(self.0.path()).args(["inspect", "00000.tar"]).args(arguments);
        Ended::of(command.output().unwrap())
    }

    fn picture(&self, arguments: &[&str]) -> (Picture, String) {
        let ended = self.inspect(&[&["a", "--flow", "out.png"], arguments].concat()).expect(0);
        (Picture::read(&self.path("out.png")), ended.stdout)
    }

    /// What is said of a member that is none of a flow's.
    fn refused(npy: &[u8]) -> String {
        let lab = Self::new(&[("a.npy", npy)]);
        let ended = lab.inspect(&["a", "--flow", "out.png"]).expect(1);
        assert!(ended.stdout.is_empty() && !lab.path("out.png").exists(), "{ended:?}");
        ended.stderr
    }
}

struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: info.width as usize, height: info.height as usize, rgb }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        *self.rgb[(y * self.width + x) * 3..].first_chunk().unwrap()
    }
}

fn header(descr: &str, order: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat()
}

/// An array whose flow `n` moves by `vectors[n]` everywhere.
fn array(vectors: &[[f32; 2]], (width, height): (usize, usize), is_half: bool) -> Vec<u8> {
    let shape = format!("({}, {height}, {width}, 2)", vectors.len());
    let mut bytes = header(if is_half { "'<f2'" } else { "'<f4'" }, "False", &shape);
    let numbers = vectors.iter().flat_map(|vector| std::iter::repeat_n(*vector, width * height)).flatten();
    for number in numbers {
        match is_half {
            true => bytes.extend(half::f16::from_f32(number).to_le_bytes()),
            false => bytes.extend(number.to_le_bytes()),
        }
    }
    bytes
}

const RIGHT: [f32; 2] = [2.0, 0.0];
const DOWN: [f32; 2] = [0.0, 2.0];
const LEFT: [f32; 2] = [-2.0, 0.0];
const UP: [f32; 2] = [0.0, -2.0];
const STILL: [f32; 2] = [0.0, 0.0];

#[test]
fn directions_are_the_wheels_colours_and_the_same_bytes_every_time() {
    for is_half in [true, false] {
        let npy = array(&[RIGHT, DOWN, LEFT, UP, STILL], (4, 2), is_half);
        let lab = Lab::new(&[("a.json", b"{}"), ("a.npy", &npy), ("b.json", b"{}")]);
        let (picture, told) = lab.picture(&[]);
        insta::allow_duplicates! { insta::assert_snapshot!(told, @"
        flows 0, 1, 2, 3, 4 of 5; 4×2, enlarged 48 ×
        full colour: 2.000 px; longest: 2.000 px
        ") };
        // Tiles of 192×96 in columns of three, 4 pixels apart.
        let tile = |x: usize, y: usize| {
            let (left, top) = (4 + x * 196, 4 + y * 100);
            let corners = [(0, 0), (191, 0), (0, 95), (191, 95)].map(|(x, y)| picture.at(left + x, top + y));
            assert!(corners.iter().all(|colour| *colour == corners[0]), "{corners:?}");
            corners[0]
        };
        let shown = [tile(0, 0), tile(1, 0), tile(0, 1), tile(1, 1), tile(0, 2)];
        assert_eq!(shown, [[255, 0, 0], [255, 229, 0], [0, 209, 255], [88, 0, 255], [255; 3]], "{told}");
        // The wheel at the right says the same.
        let middle: (usize, usize) = (picture.width - 4 - 49, 4 + 48);
        let wheel: [(isize, isize); 4] = [(48, 0), (0, 48), (-48, 0), (0, -48)];
        let wheel =
            wheel.map(|(x, y)| picture.at(middle.0.saturating_add_signed(x), middle.1.saturating_add_signed(y)));
        assert_eq!(wheel, [shown[0], shown[1], shown[2], shown[3]]);
        let first = std::fs::read(lab.path("out.png")).unwrap();
        lab.picture(&[]);
        assert!(first == std::fs::read(lab.path("out.png")).unwrap());
        assert_eq!(std::fs::read_dir(lab.0.path()).unwrap().count(), 2, "nothing is left behind");
    }
}

#[test]
fn one_flow_few_flows_and_a_scale() {
    let vectors: Vec<[f32; 2]> = (0..20).map(|n| [1.0 + n as f32, 0.0]).collect();
    let lab = Lab::new(&[("a.npy", &array(&vectors, (128, 96), true))]);
    let (picture, told) = lab.picture(&["--pair", "9"]);
    insta::assert_snapshot!(told, @"
    flow 9 of 20; 128×96
    full colour: 10.000 px; longest: 10.000 px
    ");
    assert_eq!((picture.width, picture.height, picture.at(4, 4)), (4 + 132 + 101, 105, [255, 0, 0]));
    let (picture, told) = lab.picture(&["--pair", "9", "--scale", "20"]);
    insta::assert_snapshot!(told, @"
    flow 9 of 20; 128×96
    full colour: 20.000 px; longest: 10.000 px
    ");
    assert_eq!(picture.at(4, 4), [255, 127, 127]);
    let (picture, told) = lab.picture(&["--pairs", "3", "--scale", "1"]);
    insta::assert_snapshot!(told, @"
    flows 0, 6, 13 of 20; 128×96
    full colour: 1.000 px; longest: 14.000 px
    ");
    assert_eq!([picture.at(4, 4), picture.at(136, 4)], [[255, 0, 0], [191, 0, 0]], "too fast is dark");
    let ended = lab.inspect(&["a", "--flow", "out.png", "--pairs", "3", "--json"]).expect(0);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&json["pairs"], &json["shape"]), (&[0, 6, 13].into(), &[20, 96, 128, 2].into()));
    insta::assert_snapshot!(lab.inspect(&["a", "--flow", "out.png", "--pair", "20"]).expect(1).stderr, @"error: sample a has the flows 0 to 19; there is no flow 20");
}

#[test]
fn large_flows_become_small_on_a_sheet_and_stay_large_alone() {
    let lab = Lab::new(&[("a.npy", &array(&[RIGHT, LEFT], (1100, 600), true))]);
    let (sheet, told) = lab.picture(&[]);
    insta::assert_snapshot!(told, @"
    flows 0, 1 of 2; 1100×600, made smaller by 3
    full colour: 2.000 px; longest: 2.000 px
    ");
    assert_eq!((sheet.width, sheet.height), (4 + 371 + 101, 4 + 2 * 204));
    assert_eq!([sheet.at(4, 4), sheet.at(370, 407)], [[255, 0, 0], [0, 209, 255]]);
    let (alone, _) = lab.picture(&["--pair", "1"]);
    assert_eq!((alone.width, alone.height, alone.at(1103, 603)), (4 + 1104 + 101, 608, [0, 209, 255]));
}

#[test]
fn what_is_no_number_is_black() {
    let lab = Lab::new(&[("a.npy", &array(&[[f32::NAN, 1.0], RIGHT, [f32::INFINITY, 0.0]], (2, 2), true))]);
    let (picture, told) = lab.picture(&[]);
    insta::assert_snapshot!(told, @"
    flows 0, 1, 2 of 3; 2×2, enlarged 48 ×
    full colour: 2.000 px; longest: 2.000 px
    8 vectors are no numbers: black
    ");
    assert_eq!([picture.at(4, 4), picture.at(104, 4), picture.at(4, 104)], [[0; 3], [255, 0, 0], [0; 3]]);
}

#[test]
fn what_is_not_there() {
    let lab = Lab::new(&[("a.json", b"{\"status\": \"success\"}"), ("a.mp4", b"mp4"), ("b.json", b"{}")]);
    let flow = |key: &str| lab.inspect(&[key, "--flow", "out.png"]).expect(1).stderr;
    insta::assert_snapshot!(flow("a"), @"error: sample a has no optical flow: none of its members is one of npy; it has json, mp4");
    insta::assert_snapshot!(flow("c"), @"error: 00000.tar has no sample c; `clipmill inspect 00000.tar` lists those that it has");
    insta::assert_snapshot!(lab.inspect(&["c"]).expect(1).stderr, @"error: 00000.tar has no sample c");
    insta::assert_snapshot!(lab.inspect(&["a"]).expect(0).stdout, @"
    key  status   members             url  error
    a    success  json 21 B, mp4 3 B
    ");
    let usage = |arguments: &[&str]| lab.inspect(arguments).expect(2).stderr;
    assert!(usage(&["--flow", "out.png"]).contains("<KEY>"));
    assert!(usage(&["a", "--flow", "00000.tar"]).contains("ends with .png"));
    assert!(usage(&["a", "--flow", "o.png", "--scale", "0"]).contains("above 0"));
    assert!(usage(&["a", "--flow", "o.png", "--pair", "1", "--pairs", "2"]).contains("cannot be used"));
    assert!(usage(&["a", "--pair", "1"]).contains("--flow"));
    let npy = array(&[RIGHT], (2, 2), true);
    let lab = Lab::new(&[("a.npy", &npy)]);
    let nowhere = lab.inspect(&["a", "--flow", "no/such/folder/out.png"]).expect(1).stderr;
    assert!(nowhere.contains("cannot write no/such/folder/out.png"), "{nowhere}");
    assert_eq!(std::fs::read_dir(lab.0.path()).unwrap().count(), 1);
}

#[test]
fn damaged_and_hostile_arrays_are_refused_in_words() {
    let whole = array(&[RIGHT, LEFT], (4, 2), true);
    let of =
        |descr: &str, order: &str, shape: &str| Lab::refused(&[&header(descr, order, shape)[..], &[0; 64]].concat());
    insta::assert_snapshot!(Lab::refused(b""), @"error: the flow of sample a (`npy`) cannot be shown: it ends within its header; it is damaged, or no NumPy array");
    insta::assert_snapshot!(Lab::refused(b"<html>not an array</html>"), @"error: the flow of sample a (`npy`) cannot be shown: it does not begin as NumPy's files do; it is damaged, or no NumPy array");
    insta::assert_snapshot!(Lab::refused(&whole[..40]), @"error: the flow of sample a (`npy`) cannot be shown: it ends within its header; it is damaged, or no NumPy array");
    insta::assert_snapshot!(Lab::refused(&whole[..whole.len() - 1]), @"error: the flow of sample a (`npy`) cannot be shown: it has the shape [2, 2, 4, 2], so 64 bytes of numbers, but 63 are there");
    insta::assert_snapshot!(of("'<f2'", "False", "(4294967296, 4294967296, 4294967296, 2)"), @"error: the flow of sample a (`npy`) cannot be shown: it has the shape [4294967296, 4294967296, 4294967296, 2], so 316912650057057350374175801344 bytes of numbers, but 64 are there");
    insta::assert_snapshot!(of("'<f2'", "False", "(18446744073709551615, 18446744073709551615, 18446744073709551615, 2)"), @"error: the flow of sample a (`npy`) cannot be shown: it has the shape [18446744073709551615, 18446744073709551615, 18446744073709551615, 2], so 340282366920938463463374607431768211455 bytes of numbers, but 64 are there");
    insta::assert_snapshot!(of("'<f2'", "False", "(4, 4, 2)"), @"error: the flow of sample a (`npy`) cannot be shown: it has the shape [4, 4, 2]; that of a flow is (pairs, height, width, 2)");
    insta::assert_snapshot!(of("'<f2'", "False", "(3, 2, 4, 2)"), @"error: the flow of sample a (`npy`) cannot be shown: it has the shape [3, 2, 4, 2], so 96 bytes of numbers, but 64 are there");
    insta::assert_snapshot!(Lab::refused(&header("'<f2'", "False", "(0, 16, 16, 2)")), @"error: the flow of sample a (`npy`) cannot be shown: it holds no flow at all");
    insta::assert_snapshot!(of("'|O'", "False", "(2, 2, 4, 2)"), @"error: the flow of sample a (`npy`) cannot be shown: its numbers are Python objects, which are not read: they may run programs");
    insta::assert_snapshot!(of("'>f2'", "False", "(2, 2, 4, 2)"), @r#"error: the flow of sample a (`npy`) cannot be shown: its numbers are of type ">f2"; a flow is float16 or float32, little-endian (`<f2`, `<f4`)"#);
    insta::assert_snapshot!(of("'<f2'", "True", "(2, 2, 4, 2)"), @"error: the flow of sample a (`npy`) cannot be shown: its numbers are in Fortran's order; save the array in C's (`numpy.ascontiguousarray`)");
}

/// The header agrees with the tar, whose member is a hole of many gigabytes: one flow of it is more than is read.
#[test]
fn pictures_too_large_to_be_shown() {
    use std::io::{Seek, SeekFrom, Write};
    let lab = Lab::new(&[]);
    let mut file = std::fs::File::create(lab.path("00000.tar")).unwrap();
    let npy = header("'<f4'", "False", "(2, 32768, 32768, 2)");
    let len = npy.len() as u64 + 2 * 32768 * 32768 * 8;
    let mut tar = tar::Header::new_gnu();
    tar.set_path("a.npy").unwrap();
    tar.set_size(len);
    tar.set_mode(0o644);
    tar.set_cksum();
    file.write_all(tar.as_bytes()).unwrap();
    file.write_all(&npy).unwrap();
    file.seek(SeekFrom::Start(512 + len.next_multiple_of(512))).unwrap();
    file.write_all(&[0; 1024]).unwrap();
    insta::assert_snapshot!(lab.inspect(&["a", "--flow", "out.png"]).expect(1).stderr, @"error: the flow of sample a (`npy`) cannot be shown: its pictures of 32768×32768 are too large to be shown");
}
