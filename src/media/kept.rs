//! Packets that were read once and are wanted again.

use ffmpeg_next::format::context::Input;
use ffmpeg_next::packet::{Mut as _, Ref as _};
use ffmpeg_next::{Discard, Error, Packet, ffi};

use super::output::keep;

/// Bytes of media up to which its packets are kept: beyond, to read them again costs little beside what else is done.
const MOST: usize = 32 << 20;

/// All packets of a file in its order, so that the next pass over it need not open and read it again.
pub(super) struct Kept {
    packets: Vec<Packet>,
    bytes: usize,
    /// What each stream's packets were worth to the demuxer before any pass chose among them.
    discards: Vec<ffi::AVDiscard>,
    /// How the file ended; `None`: not yet.
    end: Option<Result<(), Error>>,
    /// The packet that comes next.
    next: usize,
}

impl Kept {
    /// Nothing yet: the next packet that is read is the file's first one.
    pub fn new(input: &Input) -> Self {
        // SAFETY: the streams are borrowed.
        let discards = input.streams().map(|stream| unsafe { (*stream.as_ptr()).discard }).collect();
        Self { packets: Vec::new(), bytes: 0, discards, end: None, next: 0 }
    }

    /// Takes a packet that was read; false: there are too many to be kept.
    pub fn take(&mut self, packet: &Packet) -> bool {
        self.bytes += packet.size() + size_of::<Packet>();
        self.packets.push(keep(packet));
        self.bytes <= MOST
    }

    /// No further packet comes.
    pub fn end(&mut self, how: Result<(), Error>) {
        self.end = Some(how);
    }

    pub fn is_whole(&self) -> bool {
        self.end.is_some()
    }

    /// Goes back to the first packet, and to all streams.
    pub fn rewind(&mut self, input: &mut Input) {
        self.next = 0;
        for (mut stream, discard) in input.streams_mut().zip(&self.discards) {
            // SAFETY: the stream is borrowed; the field may change at any time.
            unsafe { (*stream.as_mut_ptr()).discard = *discard };
        }
    }

    /// As the demuxer would: the next packet of a stream that is wanted, or how the file ended. `packet` is empty.
    pub fn give(&mut self, input: &Input, packet: &mut Packet) -> Result<bool, Error> {
        while let Some(kept) = self.packets.get(self.next) {
            self.next += 1;
            let is_wanted = input.stream(kept.stream()).is_none_or(|stream| {
                // SAFETY: the stream is borrowed.
                unsafe { (*stream.as_ptr()).discard != Discard::All.into() }
            });
            if is_wanted {
                // SAFETY: both are packets, and the one that takes a reference to the same bytes is empty.
                let code = unsafe { ffi::av_packet_ref(packet.as_mut_ptr(), kept.as_ptr()) };
                return if code < 0 { Err(Error::from(code)) } else { Ok(true) };
            }
        }
        self.end.unwrap_or(Ok(())).map(|()| false)
    }
}
