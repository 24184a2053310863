//! What writers know of the media that they are fed from.

use ffmpeg_next::Rational;
use ffmpeg_next::codec::Parameters;

use super::muxer::{SideData, kept_side_data};
use super::turn;
use crate::media::log::LogLines;
use crate::media::{Media, VideoInfo};

/// What writers know of the media that they are fed from, taken down before a pass.
pub struct Streams {
    pub(super) video: Option<(VideoInfo, Parameters, Vec<SideData>)>,
    pub(super) sound: Option<(usize, Parameters, Rational)>,
    /// Where the sound ends, in its time base, if the container tells to the sample.
    pub(super) sound_end: Option<i64>,
    pub(super) log: LogLines,
    pub(super) max_corrupt: u64,
    /// Seconds of the whole media, else the most that are allowed.
    pub(super) seconds: f64,
}

impl Streams {
    pub fn of(media: &Media) -> Self {
        let stream = |index| media.input().stream(index);
        let video = media.video().ok().and_then(|info| {
            let stream = stream(info.stream)?;
            Some((info, stream.parameters().clone(), kept_side_data(&stream)))
        });
        let sound = media.audio().ok().and_then(|index| {
            let stream = stream(index)?;
            Some((index, stream.parameters().clone(), stream.time_base()))
        });
        let sound_end = media.audio().ok().and_then(|index| media.exact_end(index));
        let (log, limits) = (media.log().lines_so_far(), media.limits());
        let seconds = media.duration().unwrap_or(limits.max_duration);
        Self { video, sound, sound_end, log, max_corrupt: limits.max_corrupt_packets, seconds }
    }

    /// The filters that stand the pictures upright; none: they are.
    pub fn turn(&self) -> Option<String> {
        self.video.as_ref().and_then(|(.., side_data)| turn::upright(side_data))
    }

    /// Whether a file with this extension can hold the sound as it is, and is expected to; `cut`: only some of it.
    pub fn sound_fits(&self, extension: &str, cut: bool) -> bool {
        let Some((_, parameters, _)) = &self.sound else { return false };
        let name = parameters.id().name();
        // Neither file can hide a part of a packet, and to encode it again loses nothing.
        if cut && ["wav", "flac"].contains(&extension) {
            return false;
        }
        // A container may hold much more than anybody who asks for it by its extension wants: WAV could hold AAC.
        let is_usual = match extension {
            "wav" => name == "pcm_s16le",
            "m4a" => ["aac", "alac"].contains(&name),
            "ogg" | "oga" => ["opus", "vorbis"].contains(&name),
            _ => true,
        };
        is_usual && super::muxer::holds(extension, parameters.id())
    }

    /// The stream that holds the sound, and its time base.
    pub fn sound(&self) -> Option<(usize, Rational)> {
        self.sound.as_ref().map(|(index, _, time_base)| (*index, *time_base))
    }
}
