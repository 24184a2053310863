//! H.264 that does not say how far its frames are reordered, as many encoders write it.

/// An MP4 file of x264's without the last part of its sequence parameter set (`vui_parameters`).
pub fn silent(file: &[u8]) -> Vec<u8> {
    let find = |name: &[u8], before: usize| file[..before].windows(4).rposition(|window| window == name).unwrap();
    let header = find(b"avcC", file.len());
    let length = usize::from(u16::from_be_bytes([file[header + 10], file[header + 11]]));
    let unit = &file[header + 12..header + 12 + length];
    let bits: Vec<bool> =
        without_marks(unit).iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1 == 1)).collect();
    let mut at = 32;
    // A number, whose length is told by the zeros before it.
    let code = |at: &mut usize| {
        let zeros = bits[*at..].iter().position(|bit| *bit).unwrap();
        let number = &bits[*at + zeros..=*at + 2 * zeros];
        *at += 2 * zeros + 1;
        number.iter().fold(0_usize, |number, bit| number << 1 | usize::from(*bit)) - 1
    };
    // High, 4:2:0 of 8 bits: number, chroma, depths; then two flags that are not set.
    assert_eq!([0; 4].map(|_: u8| code(&mut at)), [0, 1, 0, 0]);
    at += 2;
    // Frame numbers, the kind and the size of their order, references; a flag; the size.
    assert_eq!([0; 4].map(|_: u8| code(&mut at))[1], 0);
    at += 1;
    let size = [code(&mut at), code(&mut at)];
    // Whole frames, direct prediction, cropping at four sides.
    assert_eq!((size, bits[at], bits[at + 2]), ([6, 3], true, true));
    at += 3;
    for _ in 0..4 {
        code(&mut at);
    }
    assert!(bits[at], "there is nothing to leave out");
    let kept: Vec<bool> = bits[..at].iter().copied().chain([false, true]).collect();
    let byte = |bits: &[bool]| (0..8).fold(0_u8, |byte, n| byte << 1 | u8::from(bits.get(n) == Some(&true)));
    let short: Vec<u8> = kept.chunks(8).map(byte).collect();
    let less = unit.len() - short.len();
    let mut made = file.to_vec();
    made.splice(header + 10..header + 12 + length, [&(short.len() as u16).to_be_bytes()[..], &short].concat());
    for name in [b"avcC", b"avc1", b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"] {
        let at = find(name, header + 4) - 4;
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) - less as u32;
        made[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
    made
}

/// Without the 3 of each `0 0 3`.
fn without_marks(unit: &[u8]) -> Vec<u8> {
    let is_mark = |at: usize| at >= 2 && unit[at - 2..=at] == [0, 0, 3];
    (0..unit.len()).filter(|at| !is_mark(*at)).map(|at| unit[at]).collect()
}
