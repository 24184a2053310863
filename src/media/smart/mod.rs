//! Clips of copied and encoded parts: whole groups of pictures are copied, only a clip's edges are encoded.
//!
//! ```text
//! packets ──► survey ──► Groups: where copying may begin and end
//!               │            └──seams(stretch)──► Seams: lead (encoded) | copied | tail (encoded)
//!    units, sets, sequence                                       └──► output/smart
//! ```
//!
//! The parts have parameter sets of their own, with numbers of their own, all of them in the file's header (`avcC`): no
//! decoder has to meet the parts in order. Each part begins with an instantaneous refresh (IDR), so that none refers to
//! another, and H.264's order of pictures begins anew. Only H.264 is read: x265 cannot be told which numbers to use.

mod bits;
mod seams;
mod sequence;
mod sets;
mod survey;
pub(super) mod units;

pub use seams::{Groups, Seams};
pub(super) use sequence::{Sequence, Told};
pub(super) use sets::Sets;
pub use survey::Survey;

/// Why a clip is encoded from end to end after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSmart {
    #[error("the video is not H.264")]
    Codec,
    #[error("the pictures change on the way, so that all of them are encoded")]
    Edited,
    #[error("the member is no mp4, mov or mkv")]
    Container,
    #[error("the picture is turned by its container")]
    Turned,
    #[error("`encoding` asks for another encoder, pixel format or further options")]
    Encoding,
    #[error("the pictures are coded as fields")]
    Interlaced,
    #[error("no encoder here for this profile or pixel format")]
    Format,
    #[error("the parameter sets change within the stream")]
    Changes,
    #[error("the stream is damaged or holds units that are not known here")]
    Damaged,
    #[error("frames without times, or several at one time")]
    Times,
    #[error("no group of pictures that could be copied begins within the span")]
    NoGroup,
    #[error("too little of the span could be copied")]
    TooLittle,
    #[error("frames at the edges could not be decoded")]
    Missing,
    #[error("the encoder's pictures are not of the source's kind")]
    Unlike,
}
