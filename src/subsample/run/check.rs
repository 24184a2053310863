//! Whether a member is what its sample's JSON says.

use serde_json::Value;

use crate::media::Media;
use crate::mill::worker::Made;
use crate::sample::{Failure, FailureClass};

/// Decodes the member from end to end. `clip` is the sample's field of that name where the member is the video that it
/// speaks of, else null: then it only has to decode.
///
/// # Errors
/// `not_decodable`: it does not decode, or has another number of frames, size or length.
pub fn check(mut media: Media, clip: &Value) -> Result<Vec<Made>, Failure> {
    let wrong = |what: String| Err(Failure::new(FailureClass::NotDecodable, what));
    let found = media.check_decode()?;
    if found.frames == 0 && found.sound_samples == 0 {
        return wrong("not one frame and no sound could be decoded".into());
    }
    let made = Ok(vec![Made::new(serde_json::Map::new())]);
    let number = |field: &str| clip.get(field).and_then(Value::as_f64);
    let (Some(frames), Some(start), Some(end)) = (number("frames"), number("start"), number("end")) else {
        return made;
    };
    if found.broken > 0 {
        return wrong(format!("{} packets or frames are broken", found.broken));
    }
    if found.frames as f64 != frames {
        return wrong(format!("has {} frames; its JSON says {frames}", found.frames));
    }
    let size = (number("width").unwrap_or(0.0), number("height").unwrap_or(0.0));
    if (f64::from(found.width), f64::from(found.height)) != size {
        return wrong(format!("is {}x{}; its JSON says {}x{}", found.width, found.height, size.0, size.1));
    }
    // From the first frame to the last: the length of the last one is not for the decoder to know.
    let (shown, said) = (found.last - found.first, end - start);
    let frame = said / frames.max(1.0);
    if shown > said + 0.01 || shown < said - 3.0 * frame - 0.1 {
        return wrong(format!("shows {shown:.3} s from its first frame to its last; its JSON says {said:.3} s in all"));
    }
    made
}
