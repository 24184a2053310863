//! Packets that were read once and are wanted again.

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Discard, Error, Packet, ffi};

use super::output::keep;

/// Bytes of media up to which its packets are kept: beyond, to read them again costs little beside what else is done.
const MOST: usize = 32 << 20;

/// All packets of a file in its order, so that the next pass over it need not open and read it again. They are given away
/// as that pass meets them: a further one reads the file.
pub(super) struct Kept {
    packets: Vec<Packet>,
    bytes: usize,
    /// What each stream's packets were worth to the demuxer before any pass chose among them.
    discards: Vec<ffi::AVDiscard>,
    /// How the file ended; `None`: not yet.
    end: Option<Result<(), Error>>,
    /// The packet that comes next.
    next: usize,
    most: usize,
}

impl Kept {
    /// Nothing yet: the next packet that is read is the file's first one.
    pub fn new(input: &Input) -> Self {
        // SAFETY: the streams are borrowed.
        let discards = input.streams().map(|stream| unsafe { (*stream.as_ptr()).discard }).collect();
        Self { packets: Vec::new(), bytes: 0, discards, end: None, next: 0, most: MOST }
    }

    /// Takes a packet that was read; false: there are too many to be kept.
    pub fn take(&mut self, packet: &Packet) -> bool {
        self.bytes += packet.size() + size_of::<Packet>();
        self.packets.push(keep(packet));
        self.bytes <= self.most
    }

    /// No further packet comes.
    pub fn end(&mut self, how: Result<(), Error>) {
        self.end = Some(how);
    }

    pub fn is_whole(&self) -> bool {
        self.end.is_some()
    }

    /// Goes back to the first packet, and to all streams; false: packets have been given away.
    pub fn rewind(&mut self, input: &mut Input) -> bool {
        if self.next > 0 {
            return false;
        }
        for (mut stream, discard) in input.streams_mut().zip(&self.discards) {
            // SAFETY: the stream is borrowed; the field may change at any time.
            unsafe { (*stream.as_mut_ptr()).discard = *discard };
        }
        true
    }

    /// As the demuxer would: the next packet of a stream that is wanted, or how the file ended. `packet` is empty.
    pub fn give(&mut self, input: &Input, packet: &mut Packet) -> Result<bool, Error> {
        while let Some(kept) = self.packets.get_mut(self.next) {
            self.next += 1;
            let is_wanted = input.stream(kept.stream()).is_none_or(|stream| {
                // SAFETY: the stream is borrowed.
                unsafe { (*stream.as_ptr()).discard != Discard::All.into() }
            });
            if is_wanted {
                // What is in an empty packet needs no freeing.
                std::mem::swap(packet, kept);
                return Ok(true);
            }
        }
        self.end.unwrap_or(Ok(())).map(|()| false)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::media::{Event, Limits, Media, PassOptions};
    use crate::sample::Container;

    /// Times and bytes of all packets of these streams.
    type Seen = Vec<(usize, Option<i64>, Vec<u8>)>;

    fn seen(media: &mut Media, streams: &[usize]) -> Seen {
        let mut pass = media.pass(PassOptions { packets: streams.to_vec(), ..PassOptions::default() }).unwrap();
        let mut seen = Vec::new();
        while let Some(event) = pass.next_event().unwrap() {
            if let Event::Packet(packet) = event {
                seen.push((packet.stream(), packet.pts(), packet.data().unwrap_or_default().to_vec()));
            }
        }
        seen
    }

    fn media(folder: &tempfile::TempDir) -> (Media, File) {
        let path = folder.path().join("a.mp4");
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=d=1:s=96x64:r=10"]);
        ffmpeg.args(["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac"]).arg(&path);
        assert!(ffmpeg.status().expect("ffmpeg is installed").success());
        let media = Media::open(File::open(&path).unwrap(), Container::Mp4, Limits::default()).unwrap();
        (media, File::options().write(true).open(path).unwrap())
    }

    #[test]
    fn the_next_pass_has_the_same_packets_without_the_file() {
        for streams in [vec![0, 1], vec![0], vec![1]] {
            let folder = tempfile::tempdir().unwrap();
            let (mut media, file) = media(&folder);
            let read = seen(&mut media, &streams);
            assert!(read.len() >= 10, "{streams:?}");
            assert_eq!(media.shown_packets().unwrap().len(), 10);
            // The pass after it reads the file again, all of its streams.
            file.set_len(0).unwrap();
            assert!(seen(&mut media, &streams) == read, "{streams:?}");
            assert!(media.rewind().is_err());
        }
    }

    #[test]
    fn a_third_pass_reads_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (mut media, _) = media(&folder);
        assert_eq!(media.shown_packets().unwrap().len(), 10);
        let all = seen(&mut media, &[0, 1]);
        assert_eq!(media.shown_packets().unwrap().len(), 10);
        assert!(seen(&mut media, &[0]).iter().eq(all.iter().filter(|packet| packet.0 == 0)));
        assert!(seen(&mut media, &[0, 1]) == all);
    }

    #[test]
    fn too_much_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (mut media, _) = media(&folder);
        let mut kept = Kept { most: 3000, ..Kept::new(media.input()) };
        let mut packet = Packet::empty();
        let mut count = 0;
        while media.read(&mut packet).unwrap() && kept.take(&packet) {
            count += 1;
        }
        assert!((1..10).contains(&count), "{count}");
        assert!(!kept.is_whole());
    }
}
