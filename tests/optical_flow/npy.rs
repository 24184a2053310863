//! Members as NumPy would read them, without NumPy.

use serde_json::{Value, json};

use crate::job::members;
use crate::lab::{H264, Lab};

/// An array `(T-1, H, W, 2)`.
#[derive(PartialEq)]
pub struct Flow {
    pub shape: [usize; 4],
    pub values: Vec<f32>,
}

impl Flow {
    pub fn parse(bytes: &[u8]) -> Self {
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!(start % 64, 0, "numbers lie aligned");
        let header = std::str::from_utf8(&bytes[10..start]).unwrap();
        let (_, shape) = header.split_once("'fortran_order': False, 'shape': (").expect("C order");
        let shape: Vec<usize> =
            shape.split_once(')').unwrap().0.split(", ").map(|side| side.parse().unwrap()).collect();
        let numbers = &bytes[start..];
        let values: Vec<f32> = if header.contains("'<f4'") {
            numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        } else {
            assert!(header.contains("'<f2'"), "{header}");
            numbers.as_chunks::<2>().0.iter().map(|bytes| half::f16::from_le_bytes(*bytes).to_f32()).collect()
        };
        let shape: [usize; 4] = shape.try_into().unwrap();
        assert_eq!((shape[3], shape.iter().product()), (2, values.len()));
        assert!(values.iter().all(|value| value.is_finite()));
        Self { shape, values }
    }

    /// The member of this sample in the lab's one shard.
    pub fn of(lab: &Lab, key: &str) -> Self {
        let name = format!("{key}.npy");
        let found = members(&lab.output().join("00000.tar")).into_iter().find(|(member, _)| *member == name);
        Self::parse(&found.unwrap_or_else(|| panic!("no {name}")).1)
    }

    /// Mean dx and dy over all of it.
    pub fn mean(&self) -> (f64, f64) {
        let sum = |at: usize| self.values.iter().skip(at).step_by(2).map(|value| f64::from(*value)).sum::<f64>();
        let count = self.values.len() as f64 / 2.0;
        (sum(0) / count, sum(1) / count)
    }

    /// Mean length of the vectors of each flow.
    pub fn magnitudes(&self) -> Vec<f64> {
        let pixels = self.shape[1] * self.shape[2];
        let length = |vector: &[f32; 2]| f64::from(vector[0]).hypot(f64::from(vector[1]));
        let flows = self.values.as_chunks::<2>().0.chunks(pixels);
        flows.map(|flow| flow.iter().map(length).sum::<f64>() / pixels as f64).collect()
    }
}

/// A job's config; `formats` are the members beside the flow.
pub fn config(formats: Value, args: Value) -> Value {
    let mut formats = formats;
    if args["store"] != "none" {
        formats["optical_flow"] = json!("npy");
    }
    json!({"job": {"encode_formats": formats}, "subsampling": {"OpticalFlowSubsampler": {"args": args}}})
}

/// A picture of clouds that moves to the left by a fifth of its width a second, for so many seconds.
pub fn clouds(lab: &Lab, name: &str, seconds: f64, encoding: &str) -> std::path::PathBuf {
    let noise = "-f lavfi -i nullsrc=s=160x96:d=0.04:r=25";
    let noisy = "geq=random(1)*255:128:128,gblur=sigma=5,eq=contrast=5,loop=loop=-1:size=1";
    let scroll = format!("{noisy},setpts=N/25/TB,scroll=h=0.008,trim=duration={seconds}");
    lab.make(name, &format!("{noise} -vf {scroll} -r 25 {H264} {encoding}"))
}
